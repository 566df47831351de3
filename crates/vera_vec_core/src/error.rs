//! Everything that can be wrong with a vector value, with the message that the user sees.
//!
//! The texts are those of pgvector with the type's name replaced, because clients match on them. Which
//! SQLSTATE goes with which error is the PostgreSQL side's business.

use crate::element::{Element, MAX_DIM};

/// A value, operand or type modifier that cannot be accepted. `Display` gives the primary message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// Text that does not follow the grammar of [`crate::text`].
    #[error("invalid input syntax for type {type_name}: \"{literal}\"")]
    Syntax {
        /// SQL name of the type.
        type_name: &'static str,
        /// The whole input, up to 1,024 bytes of it.
        literal: String,
        /// What is wrong with it, where that can be said.
        detail: Option<&'static str>,
    },
    /// A number in text that is too large for the element type.
    #[error("\"{literal}\" is out of range for type {type_name}")]
    OutOfRange {
        /// SQL name of the type.
        type_name: &'static str,
        /// The number alone.
        literal: String,
    },
    /// A vector without elements.
    #[error("{type_name} must have at least 1 dimension")]
    NoDimensions {
        /// SQL name of the type.
        type_name: &'static str,
    },
    /// More than [`MAX_DIM`] elements.
    #[error("{type_name} cannot have more than {MAX_DIM} dimensions")]
    TooManyDimensions {
        /// SQL name of the type.
        type_name: &'static str,
    },
    /// An element that is not a number.
    #[error("NaN not allowed in {type_name}")]
    NotANumber {
        /// SQL name of the type.
        type_name: &'static str,
    },
    /// An infinite element.
    #[error("infinite value not allowed in {type_name}")]
    Infinite {
        /// SQL name of the type.
        type_name: &'static str,
    },
    /// A value that does not have the number of dimensions that its type modifier, or its aggregate, asks for.
    #[error("expected {expected} dimensions, not {actual}")]
    UnexpectedDimensions {
        /// What the type modifier says.
        expected: usize,
        /// What the value has.
        actual: usize,
    },
    /// Two operands of different lengths.
    #[error("different {type_name} dimensions {left} and {right}")]
    DifferentDimensions {
        /// SQL name of the type.
        type_name: &'static str,
        /// Dimensions of the left operand.
        left: usize,
        /// Dimensions of the right operand.
        right: usize,
    },
    /// The reserved field of the binary form is in use: a newer format, or not a vector.
    #[error("expected unused to be 0, not {actual}")]
    UnusedNotZero {
        /// What was found.
        actual: u16,
    },
    /// An element of a result is too large for the element type.
    #[error("value out of range: overflow")]
    Overflow,
    /// A product of two elements that are not zero is.
    #[error("value out of range: underflow")]
    Underflow,
    /// Not exactly one type modifier.
    #[error("invalid type modifier")]
    InvalidTypmod,
    /// `veravec(0)`.
    #[error("dimensions for type {type_name} must be at least 1")]
    TypmodTooSmall {
        /// SQL name of the type.
        type_name: &'static str,
    },
    /// `veravec(16001)`.
    #[error("dimensions for type {type_name} cannot exceed {MAX_DIM}")]
    TypmodTooLarge {
        /// SQL name of the type.
        type_name: &'static str,
    },
}

impl VectorError {
    /// A syntax error in `input`, the whole text of a value of type `E`.
    pub(crate) fn syntax<E: Element>(input: &[u8], detail: Option<&'static str>) -> Self {
        Self::Syntax { type_name: E::TYPE_NAME, literal: quotable(input), detail }
    }

    /// The DETAIL line that goes with the message, if there is one.
    pub fn detail(&self) -> Option<&'static str> {
        match self {
            Self::Syntax { detail, .. } => *detail,
            _ => None,
        }
    }
}

/// Longest piece of input that an error message repeats, in bytes.
///
/// pgvector repeats the whole of it, which for one wrong digit in an embedding puts some 20 kB into the log.
const MAX_QUOTED: usize = 1024;

/// `input` as it may be repeated in a message: shortened, and with bytes escaped if they are not UTF-8.
///
/// The server's encoding need not be UTF-8; the escapes are ASCII, which is valid in all of them.
pub(crate) fn quotable(input: &[u8]) -> String {
    match std::str::from_utf8(input) {
        Ok(text) => shortened(text),
        Err(_) => shortened(&input[..input.len().min(MAX_QUOTED + 1)].escape_ascii().to_string()),
    }
}

fn shortened(text: &str) -> String {
    if text.len() > MAX_QUOTED {
        format!("{}...", &text[..text.floor_char_boundary(MAX_QUOTED)])
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotable_keeps_short_text_and_shortens_long_text_at_a_character() {
        assert_eq!(quotable("[1, né]".as_bytes()), "[1, né]");
        let long = "é".repeat(MAX_QUOTED);
        let quoted = quotable(long.as_bytes());
        assert!(quoted.ends_with("é...") && quoted.len() <= MAX_QUOTED + 3);
    }

    #[test]
    fn quotable_escapes_what_is_not_utf8() {
        assert_eq!(quotable(b"[1\xff]"), "[1\\xff]");
        assert!(quotable(&[0xff; 100_000]).len() <= MAX_QUOTED + 3);
    }
}
