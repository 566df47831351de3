//! Filters on documents: a small language in JSON, with three ways to use what it says.
//!
//! * [`parse`]: from JSON, in the vocabulary of Chroma and chromem-go or of Qdrant, to a typed tree
//! * [`sql`]: the tree as an SQL condition whose every value is a parameter
//! * [`evaluate`]: the tree asked of one JSON object in memory
//!
//! # What a filter means
//!
//! A [`Test`] looks at the *field* of a metadata object that a [`Path`] leads to, and is either true or false, never
//! unknown. A test of a field that is missing is false, and so is a comparison of unlike types: `"10"` is not above
//! 9. Negations (`$ne`, `$nin`, `$not_contains`, `$not`, `must_not`) are true exactly where the plain condition is
//! false, and therefore of a missing field too, as in MongoDB and Chroma.
//!
//! Values have JSON's types. Numbers are decimal numbers of any length and compare by value (`1.0` is `1`); text
//! compares by its Unicode code points (PostgreSQL's collation "C" in a database in UTF-8), in no language's order.
//! JSON's `null` is a value like another: `{"a": null}` asks for a field that is there and is null.

pub mod document;
pub mod evaluate;
pub mod parse;
pub mod sql;

use std::str::FromStr;

use bigdecimal::BigDecimal;
use serde::Deserialize;

pub use document::DocumentFilter;
pub use serde_json::Value;

/// How deep conditions may lie in one another, and how many fields a path may have.
pub const MAX_DEPTH: usize = 32;

/// The way to a field through nested objects: `a.b` in a filter. Arrays are not entered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Path(pub Vec<String>);

/// A condition on a document's metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of these; true if there are none.
    All(Vec<Filter>),
    /// At least one of these; false if there are none.
    Any(Vec<Filter>),
    /// At least so many of these.
    AtLeast(usize, Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// Something about one field.
    Field(Path, Test),
}

/// What is asked of a field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// It is there, `null` or not.
    Exists,
    /// It equals this value of any JSON type; arrays in order, objects in any.
    Equal(Value),
    /// It equals one of these.
    OneOf(Vec<Value>),
    /// It is a value of the same type and lies on this side of it.
    Compare(Side, Bound),
    /// It is an array with an element that equals this scalar.
    HasElement(Value),
    /// It is text in which this occurs, letter for letter.
    HasText(String),
    /// It is text of which this is a pattern in the manner of SQL's LIKE, with `\` as the escape character.
    Like(String),
}

/// A side of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

/// Values that have an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// A number of any length.
    Number(BigDecimal),
    /// Text, ordered by code points.
    Text(String),
}

/// A filter that cannot be accepted: where in it, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid filter at {path}: {reason}")]
pub struct FilterError {
    /// The way to the offending part, as `$.and[1].price`.
    pub path: String,
    /// What is wrong with it, without the value itself unless short.
    pub reason: String,
}

/// The value of a JSON number; None if it has more digits than PostgreSQL's numeric, and jsonb, can have.
fn decimal(number: &serde_json::Number) -> Option<BigDecimal> {
    const MAX_DIGITS: i64 = 131_072; // before the point; after it 16,383
    let value = BigDecimal::from_str(&number.to_string()).ok()?;
    // Exponents are checked before anything is done that takes as long as the number written out.
    let (_, scale) = value.as_bigint_and_exponent();
    (-MAX_DIGITS..=MAX_DIGITS).contains(&scale).then_some(value)
}
