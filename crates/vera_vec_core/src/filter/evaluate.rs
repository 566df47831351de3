//! A filter asked of one JSON object in memory.
//!
//! This is what a filter means; the SQL of [`super::sql`] is tested against it.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Bound, Filter, Path, Side, Test, decimal};

impl Filter {
    /// Whether a document with this `metadata` passes.
    #[must_use]
    pub fn matches(&self, metadata: &Value) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.matches(metadata)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(metadata)),
            Self::AtLeast(count, filters) => {
                filters.iter().filter(|filter| filter.matches(metadata)).take(*count).count() == *count
            }
            Self::Not(filter) => !filter.matches(metadata),
            Self::Field(path, test) => path.find(metadata).is_some_and(|value| test.holds(value)),
        }
    }
}

impl Path {
    /// The field, if all of the path's objects and the field itself are there.
    fn find<'a>(&self, metadata: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(metadata, |value, name| value.as_object()?.get(name))
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Exists => true,
            Self::Equal(other) => equal(value, other),
            Self::OneOf(others) => others.iter().any(|other| equal(value, other)),
            Self::Compare(side, bound) => bound.of(value).is_some_and(|order| side.has(order)),
            Self::HasElement(element) => {
                value.as_array().is_some_and(|array| array.iter().any(|value| equal(value, element)))
            }
            Self::HasText(part) => value.as_str().is_some_and(|text| text.contains(part)),
            Self::Like(pattern) => value.as_str().is_some_and(|text| like(text, pattern)),
        }
    }
}

impl Bound {
    /// How `value` compares to this; None if it is of another type.
    fn of(&self, value: &Value) -> Option<Ordering> {
        match (value, self) {
            (Value::Number(number), Self::Number(bound)) => Some(decimal(number)?.cmp(bound)),
            (Value::String(text), Self::Text(bound)) => Some(text.as_str().cmp(bound)),
            _ => None,
        }
    }
}

impl Side {
    fn has(self, order: Ordering) -> bool {
        match self {
            Self::Below => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::AtLeast => order.is_ge(),
            Self::Above => order.is_gt(),
        }
    }
}

/// Equality of JSON values; of numbers, by value.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || decimal(a).is_some_and(|a| Some(a) == decimal(b)),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// SQL's LIKE: `%` is any text, `_` any character, and a backslash makes what follows literal.
///
/// Only the last `%` is ever gone back to: an earlier one can gain nothing that the last cannot.
fn like(text: &str, pattern: &str) -> bool {
    enum Part {
        Any,
        One,
        Is(char),
    }
    let mut parts = Vec::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        parts.push(match character {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Is(characters.next().unwrap_or('\\')),
            other => Part::Is(other),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut part) = (0, 0);
    let mut retry = None; // after the last `%`: the part behind it, and the text it begins with
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                part += 1;
                retry = Some((part, at));
            }
            Some(Part::One) => (at, part) = (at + 1, part + 1),
            Some(Part::Is(character)) if *character == text[at] => (at, part) = (at + 1, part + 1),
            _ => match &mut retry {
                Some((behind, begin)) => {
                    *begin += 1;
                    (part, at) = (*behind, *begin);
                }
                None => return false,
            },
        }
    }
    parts[part..].iter().all(|part| matches!(part, Part::Any))
}
