//! A filter as an SQL condition.
//!
//! The text that is made here has in it the names of columns, quoted, and nothing that came with the filter: every
//! value and every field's name is an element of one `text[]` parameter, cast where it is used. PostgreSQL folds
//! `($2)[3]::jsonb` to a constant when it plans, so that estimates and indexes see the values.
//!
//! Equality becomes `metadata @> ...`, which a GIN index serves, or a comparison of the key column that holds the
//! field, which a veraflat index serves. That one serves conditions that must all hold; so under OR and NOT equality
//! is left to GIN, whose bitmaps can be united. A condition is NULL at most where it is false, and negation is
//! `IS NOT TRUE`: so the two truth values of the language come out.

use serde::Deserialize;
use serde_json::Value;

use super::{Bound, Filter, Path, Side, Test};

/// A column that holds one metadata field where it is of the column's type, and NULL where it is not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KeyColumn {
    /// The field.
    pub path: Path,
    /// The column's name, not quoted.
    pub column: String,
    /// The type that it holds.
    #[serde(rename = "type")]
    pub kind: KeyKind,
}

/// Types of key columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// `text COLLATE "C"`
    Text,
    /// `numeric`
    #[serde(rename = "numeric")]
    Number,
    /// `boolean`
    Boolean,
}

/// Values of the `text[]` parameter, and how SQL refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    reference: &'static str,
    values: Vec<String>,
}

impl Parameters {
    /// None yet; `reference` is what the array is called, as `$2`.
    #[must_use]
    pub fn new(reference: &'static str) -> Self {
        Self { reference, values: Vec::new() }
    }

    /// The elements.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// The elements, to keep.
    #[must_use]
    pub fn into_values(self) -> Vec<String> {
        self.values
    }

    /// Adds a value, and gives the text that stands for it.
    pub fn bind(&mut self, value: impl Into<String>) -> String {
        self.values.push(value.into());
        format!("({})[{}]", self.reference, self.values.len())
    }

    /// Adds values, of which there is at least one, and gives the text that stands for an array of them. It takes as
    /// long as there are values to make that array; from elements by their numbers it would take the square of it.
    fn bind_all(&mut self, values: impl IntoIterator<Item = String>) -> String {
        let first = self.values.len() + 1;
        self.values.extend(values);
        format!("({})[{first}:{}]", self.reference, self.values.len())
    }

    fn bind_json(&mut self, value: &Value) -> String {
        format!("{}::jsonb", self.bind(value.to_string()))
    }
}

/// An identifier between quotes.
#[must_use]
pub fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Up to so many values of `$in` become conditions of their own, each of which an index can serve.
const MAX_ALTERNATIVES: usize = 64;

impl Filter {
    /// The condition on rows that have a column `metadata`, and these key columns. `table` goes before a column's name.
    #[must_use]
    pub fn sql(&self, table: &str, keys: &[KeyColumn], parameters: &mut Parameters) -> String {
        Writer { table, keys, parameters }.filter(self, Place::Conjunct)
    }
}

/// Where in the tree a condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It must hold for the whole to hold.
    Conjunct,
    /// Under OR, NOT or a count.
    Nested,
}

struct Writer<'a> {
    table: &'a str,
    keys: &'a [KeyColumn],
    parameters: &'a mut Parameters,
}

impl Writer<'_> {
    fn filter(&mut self, filter: &Filter, place: Place) -> String {
        match filter {
            Filter::All(filters) => self.joined(filters, place, " AND ", "true"),
            Filter::Any(filters) => self.joined(filters, Place::Nested, " OR ", "false"),
            Filter::AtLeast(count, filters) => {
                let each: Vec<String> = filters
                    .iter()
                    .map(|inner| format!("(({}) IS TRUE)::int", self.filter(inner, Place::Nested)))
                    .collect();
                format!("({} >= {count})", if each.is_empty() { "0".to_owned() } else { each.join(" + ") })
            }
            Filter::Not(inner) => format!("({}) IS NOT TRUE", self.filter(inner, Place::Nested)),
            Filter::Field(path, test) => {
                self.key_column(path, test, place).unwrap_or_else(|| self.field(path, test))
            }
        }
    }

    fn joined(&mut self, filters: &[Filter], place: Place, operator: &str, none: &str) -> String {
        if filters.is_empty() {
            return none.to_owned();
        }
        let parts: Vec<String> =
            filters.iter().map(|inner| format!("({})", self.filter(inner, place))).collect();
        parts.join(operator)
    }

    /// The test of the key column that holds the field, if there is one and the values are of its type.
    fn key_column(&mut self, path: &Path, test: &Test, place: Place) -> Option<String> {
        let key = self.keys.iter().find(|key| key.path == *path)?;
        let column = format!("{}{}", self.table, quoted(&key.column));
        match test {
            Test::Equal(_) | Test::OneOf(_) if place == Place::Nested => None,
            Test::Equal(value) => {
                let value = self.parameters.bind(key.kind.text(value)?);
                Some(format!("{column} = {value}{}", key.kind.cast("")))
            }
            Test::OneOf(values) if !values.is_empty() => {
                let values: Option<Vec<String>> = values.iter().map(|value| key.kind.text(value)).collect();
                let array = self.parameters.bind_all(values?);
                Some(format!("{column} = ANY ({array}{})", key.kind.cast("[]")))
            }
            Test::Compare(side, bound) => {
                let value = match (bound, key.kind) {
                    (Bound::Number(number), KeyKind::Number) => number.to_plain_string(),
                    (Bound::Text(text), KeyKind::Text) => text.clone(),
                    _ => return None,
                };
                let value = self.parameters.bind(value);
                Some(format!("{column} {} {value}{}", operator(*side), key.kind.cast("")))
            }
            _ => None,
        }
    }

    fn field(&mut self, path: &Path, test: &Test) -> String {
        match test {
            Test::Exists => format!("{} IS NOT NULL", self.json(path)),
            Test::Equal(value) => self.equal(path, value),
            Test::OneOf(values) if values.is_empty() => "false".to_owned(),
            Test::OneOf(values) if values.len() <= MAX_ALTERNATIVES => {
                let each: Vec<String> = values.iter().map(|value| self.equal(path, value)).collect();
                format!("({})", each.join(" OR "))
            }
            Test::OneOf(values) => {
                let field = self.json(path);
                let values = self.parameters.bind_all(values.iter().map(Value::to_string));
                format!("{field} = ANY ({values}::jsonb[])")
            }
            Test::Compare(side, Bound::Number(number)) => {
                let value = Value::Number(number.to_plain_string().parse().unwrap_or_else(|_| 0.into()));
                let field = self.json(path);
                let value = self.parameters.bind_json(&value);
                format!("(jsonb_typeof({field}) = 'number' AND {field} {} {value})", operator(*side))
            }
            Test::Compare(side, Bound::Text(text)) => {
                let value = self.parameters.bind(text);
                self.text(path, |field| format!("{field} COLLATE \"C\" {} {value}", operator(*side)))
            }
            Test::HasElement(value) => self.contains(path, &Value::Array(vec![value.clone()])),
            Test::HasText(part) => {
                let value = self.parameters.bind(part);
                self.text(path, |field| format!("strpos({field} COLLATE \"C\", {value}) > 0"))
            }
            Test::Like(pattern) => {
                let value = self.parameters.bind(pattern);
                self.text(path, |field| format!("{field} COLLATE \"C\" LIKE {value}"))
            }
        }
    }

    /// Containment is equality for scalars, and necessary for it otherwise.
    fn equal(&mut self, path: &Path, value: &Value) -> String {
        let contains = self.contains(path, value);
        if !value.is_array() && !value.is_object() {
            return contains;
        }
        let field = self.json(path);
        let value = self.parameters.bind_json(value);
        format!("({contains} AND {field} = {value})")
    }

    /// `metadata @> '{"a": {"b": value}}'`
    fn contains(&mut self, path: &Path, value: &Value) -> String {
        let nested = path.0.iter().rev().fold(value.clone(), |value, name| {
            Value::Object(std::iter::once((name.clone(), value)).collect())
        });
        format!("{}metadata @> {}", self.table, self.parameters.bind_json(&nested))
    }

    /// The field as jsonb; NULL if it is not there. (`#>` would enter arrays.)
    fn json(&mut self, path: &Path) -> String {
        let names: Vec<String> = path.0.iter().map(|name| self.parameters.bind(name)).collect();
        format!("({}metadata -> {})", self.table, names.join(" -> "))
    }

    /// A condition on the field where it is text.
    fn text(&mut self, path: &Path, condition: impl FnOnce(&str) -> String) -> String {
        let field = self.json(path);
        // What `->>` gives of the last step, `#>> '{}'` gives of the value.
        let condition = condition(&format!("({field} #>> '{{}}')"));
        format!("(jsonb_typeof({field}) = 'string' AND {condition})")
    }
}

impl KeyKind {
    /// A value of this type as the parameter's text; None if it is of another.
    fn text(self, value: &Value) -> Option<String> {
        match (self, value) {
            (Self::Text, Value::String(text)) => Some(text.clone()),
            (Self::Number, Value::Number(number)) => Some(number.to_string()),
            (Self::Boolean, Value::Bool(value)) => Some(value.to_string()),
            _ => None,
        }
    }

    /// The cast of a parameter, or with `[]` of an array of them.
    fn cast(self, array: &str) -> String {
        match self {
            Self::Text => String::new(),
            Self::Number => format!("::numeric{array}"),
            Self::Boolean => format!("::boolean{array}"),
        }
    }
}

fn operator(side: Side) -> &'static str {
    match side {
        Side::Below => "<",
        Side::AtMost => "<=",
        Side::AtLeast => ">=",
        Side::Above => ">",
    }
}
