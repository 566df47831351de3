//! Conditions on a document's text: `where_document` as Chroma and chromem-go have it.
//!
//! ```text
//! filter = { "$contains" | "$not_contains": text, "$regex" | "$not_regex": regular expression,
//!            "$and" | "$or": [filter, ...], "$not": filter }
//! ```
//!
//! `$contains` is letter for letter. Regular expressions are PostgreSQL's, which is why these filters are only ever
//! evaluated there. A document without content contains nothing and matches nothing.

use serde_json::Value;

use super::FilterError;
use super::parse::{At, kind};
use super::sql::Parameters;

/// A condition on a document's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentFilter {
    /// All of these; true if there are none.
    All(Vec<DocumentFilter>),
    /// At least one of these.
    Any(Vec<DocumentFilter>),
    /// Not this.
    Not(Box<DocumentFilter>),
    /// This text occurs in it.
    Contains(String),
    /// This regular expression matches in it.
    Matches(String),
}

impl DocumentFilter {
    /// The filter that `json` says.
    ///
    /// # Errors
    /// An unknown operator, a wrong shape, or conditions more than [`super::MAX_DEPTH`] deep in one another.
    pub fn parse(json: &Value) -> Result<Self, FilterError> {
        filter(json, &At::root())
    }

    /// The condition on rows that have a column `content`. `table` goes before its name.
    #[must_use]
    pub fn sql(&self, table: &str, parameters: &mut Parameters) -> String {
        let mut joined = |filters: &[Self], operator: &str, none: &str| {
            let parts: Vec<String> =
                filters.iter().map(|inner| format!("({})", inner.sql(table, parameters))).collect();
            if parts.is_empty() { none.to_owned() } else { parts.join(operator) }
        };
        match self {
            Self::All(filters) => joined(filters, " AND ", "true"),
            Self::Any(filters) => joined(filters, " OR ", "false"),
            Self::Not(inner) => format!("({}) IS NOT TRUE", inner.sql(table, parameters)),
            Self::Contains(text) => {
                format!("strpos({table}content COLLATE \"C\", {}) > 0", parameters.bind(text))
            }
            Self::Matches(expression) => format!("{table}content ~ {}", parameters.bind(expression)),
        }
    }
}

fn filter(json: &Value, at: &At) -> Result<DocumentFilter, FilterError> {
    let at = &at.deeper()?;
    let Value::Object(object) = json else {
        return at.error(format!("expected an object, not {}", kind(json)));
    };
    let mut all = Vec::with_capacity(object.len());
    for (name, value) in object {
        let at = &at.name(name);
        let text = || match value {
            Value::String(text) => Ok(text.clone()),
            other => at.error(format!("expected text, not {}", kind(other))),
        };
        let not = |inner| DocumentFilter::Not(Box::new(inner));
        all.push(match name.as_str() {
            "$contains" => DocumentFilter::Contains(text()?),
            "$not_contains" => not(DocumentFilter::Contains(text()?)),
            "$regex" => DocumentFilter::Matches(text()?),
            "$not_regex" => not(DocumentFilter::Matches(text()?)),
            "$and" => DocumentFilter::All(filters(value, at)?),
            "$or" => DocumentFilter::Any(filters(value, at)?),
            "$not" => not(filter(value, at)?),
            _ => {
                return at.error(
                    "unknown operator; there are $contains, $not_contains, $regex, $not_regex, $and, $or and $not",
                );
            }
        });
    }
    Ok(if all.len() == 1 { all.remove(0) } else { DocumentFilter::All(all) })
}

fn filters(json: &Value, at: &At) -> Result<Vec<DocumentFilter>, FilterError> {
    match json {
        Value::Array(array) if !array.is_empty() => {
            array.iter().enumerate().map(|(i, json)| filter(json, &at.index(i))).collect()
        }
        Value::Array(_) => at.error("expected at least one condition"),
        other => at.error(format!("expected an array, not {}", kind(other))),
    }
}
