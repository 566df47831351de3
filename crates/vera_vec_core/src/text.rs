//! The text form: `[1,2.5,-0]`.
//!
//! ```text
//! vector = space* "[" space* number space* { "," space* number space* } "]" space*
//! space  = " " | "\t" | "\n" | "\r" | "\v" | "\f"
//! number = what C's strtof accepts: decimal or hexadecimal, with or without exponent
//! ```
//!
//! Numbers are rounded to nearest, once. One that is too large is an error, one that is too small becomes
//! zero, and those that are spelled `nan` or `inf` are numbers by this grammar but not allowed in a vector.
//! This is pgvector's grammar, and its errors; `1e` is an error as a whole, because no comma may follow `1`.
//!
//! There is no formatter here: PostgreSQL's own prints a `real`, and a vector's elements should look alike.

use crate::element::{Element, MAX_DIM, check_dim, check_element, check_expected_dim};
use crate::error::{VectorError, quotable};

/// Reads a vector from text.
///
/// `expected_dim`: the type modifier, if there is one. Memory: the result, grown by doubling.
/// Errors: [`VectorError::Syntax`], [`VectorError::OutOfRange`], [`VectorError::NotANumber`],
/// [`VectorError::Infinite`], [`VectorError::NoDimensions`], [`VectorError::TooManyDimensions`],
/// [`VectorError::UnexpectedDimensions`].
pub fn parse<E: Element>(input: &[u8], expected_dim: Option<usize>) -> Result<Vec<E>, VectorError> {
    let error = |detail| VectorError::syntax::<E>(input, detail);
    let mut rest = skip_space(input)
        .strip_prefix(b"[")
        .ok_or_else(|| error(Some("Vector contents must start with \"[\".")))?;
    rest = skip_space(rest);
    if rest.first() == Some(&b']') {
        return Err(VectorError::NoDimensions { type_name: E::TYPE_NAME });
    }
    let mut elements = Vec::with_capacity(expected_dim.unwrap_or(0));
    loop {
        if elements.len() == MAX_DIM {
            return Err(VectorError::TooManyDimensions { type_name: E::TYPE_NAME });
        }
        rest = skip_space(rest);
        let (value, length) = parse_number(rest).ok_or_else(|| error(None))?;
        let (number, after) = rest.split_at(length);
        let element = E::from_f32(value);
        if element.to_f32().is_infinite() && !spells_infinity(number) {
            return Err(VectorError::OutOfRange { type_name: E::TYPE_NAME, literal: quotable(number) });
        }
        elements.push(check_element(element)?);
        rest = skip_space(after);
        match rest.split_first() {
            Some((b',', after)) => rest = after,
            Some((b']', after)) => {
                rest = after;
                break;
            }
            _ => return Err(error(None)),
        }
    }
    if !skip_space(rest).is_empty() {
        return Err(error(Some("Junk after closing right brace.")));
    }
    check_dim::<E>(elements.len())?;
    check_expected_dim(expected_dim, elements.len())?;
    Ok(elements)
}

fn skip_space(input: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c');
    &input[input.iter().take_while(|byte| is_space(byte)).count()..]
}

/// The number at the start of `input`, and how many bytes it takes.
fn parse_number(input: &[u8]) -> Option<(f32, usize)> {
    let (negative, digits) = match input.split_first() {
        Some((b'-', digits)) => (true, digits),
        Some((b'+', digits)) => (false, digits),
        _ => (false, input),
    };
    // The sign is read here, so that a second one is an error.
    if matches!(digits.first(), Some(b'-' | b'+')) {
        return None;
    }
    let (magnitude, length) =
        parse_hexadecimal(digits).or_else(|| fast_float2::parse_partial::<f32, _>(digits).ok())?;
    let value = if negative { -magnitude } else { magnitude };
    Some((value, input.len() - digits.len() + length))
}

/// Whether a number is infinite because it says so, and not because it is too large.
fn spells_infinity(number: &[u8]) -> bool {
    !number.iter().any(u8::is_ascii_digit)
}

/// A hexadecimal number as C writes it, `0x1.8p3` = 12: mantissa digits, and a binary exponent in decimal.
fn parse_hexadecimal(input: &[u8]) -> Option<(f32, usize)> {
    let mut rest = input.strip_prefix(b"0x").or_else(|| input.strip_prefix(b"0X"))?;
    let mut mantissa = 0u64;
    let mut exponent = 0i64;
    let mut has_digits = false;
    let mut after_point = false;
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'.' && !after_point {
            after_point = true;
        } else if let Some(digit) = (byte as char).to_digit(16) {
            has_digits = true;
            if mantissa < 1 << 40 {
                mantissa = mantissa << 4 | u64::from(digit);
                exponent -= if after_point { 4 } else { 0 };
            } else {
                // Far below what float32 keeps: of such digits only matters whether any is not zero.
                mantissa |= u64::from(digit != 0);
                exponent += if after_point { 0 } else { 4 };
            }
        } else {
            break;
        }
        rest = after;
    }
    if !has_digits {
        return None;
    }
    if let Some((power, after)) = parse_binary_exponent(rest) {
        exponent = exponent.saturating_add(power);
        rest = after;
    }
    // At most 44 bits times a power of two is exact in float64 wherever float32 has a finite value other
    // than zero; so the conversion to float32 is the only rounding. Two factors, since 2⁻¹⁰⁸⁰ itself is not
    // a float64.
    let exponent = i32::try_from(exponent.clamp(-2000, 2000)).unwrap_or(0);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    let value = (mantissa as f64 * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)) as f32;
    Some((value, input.len() - rest.len()))
}

/// `p-12`: the exponent, and what follows it; nothing if there are no digits.
fn parse_binary_exponent(input: &[u8]) -> Option<(i64, &[u8])> {
    let rest = input.strip_prefix(b"p").or_else(|| input.strip_prefix(b"P"))?;
    let (sign, digits) = match rest.split_first()? {
        (b'-', digits) => (-1, digits),
        (b'+', digits) => (1, digits),
        _ => (1, rest),
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = digits.split_at(length);
    let magnitude =
        digits.iter().fold(0i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    (length > 0).then_some((sign * magnitude, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_f32(text: &str) -> Result<Vec<f32>, VectorError> {
        parse(text.as_bytes(), None)
    }

    #[test]
    fn accepts_what_strtof_accepts() {
        for (text, value) in [
            ("1", 1.0f32),
            ("+1", 1.0),
            ("-1.5", -1.5),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e5", 1e5),
            ("1E+5", 1e5),
            ("1.5e-3", 1.5e-3),
            ("00012", 12.0),
            ("1e-46", 0.0),
            ("1e-400", 0.0),
            ("0x1p3", 8.0),
            ("0X1.8P+3", 12.0),
            ("-0x.8", -0.5),
            ("0x10", 16.0),
            ("0x1p-149", f32::from_bits(1)),
            ("0x1p-150", 0.0),
            ("0x1.8p-150", f32::from_bits(1)),
            ("0x1.000001p0", 1.0),
            ("0x1.0000010000000000000000000001p0", 1.000_000_1),
            ("0x1.fffffep127", f32::MAX),
            ("0x0.0000000000000000000000000000000000000001p160", 1.0),
            ("0x0p99999999999999999999", 0.0),
        ] {
            let parsed = parse_f32(&format!("[{text}]")).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(parsed, [value], "{text}");
        }
        assert!(parse_f32("[-1e-46]").unwrap()[0].is_sign_negative());
        assert_eq!(parse_f32(" \t\n\r\x0b\x0c[ 1 ,\n2,3 ] ").unwrap(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn rounds_once() {
        // Half way between two floats and a little more, beyond the 53rd bit: rounding twice gives 1.
        assert_eq!(parse_f32("[1.000000059604644775390625000000000000000000001]").unwrap(), [1.000_000_1]);
    }

    #[test]
    fn refuses_with_the_right_words() {
        let syntax = |text: &str| format!("invalid input syntax for type veravec: \"{text}\"");
        for text in [
            "[hello,1]",
            "[1,2,3",
            "[",
            "[,",
            "[1,]",
            "[1a]",
            "[1,,3]",
            "[1, ,3]",
            "[1e]",
            "[0x]",
            "[0xg]",
            "[0x1p]",
            "[--1]",
            "[+-1]",
            "[-]",
            "[.]",
            "[1 2]",
            "[e5]",
            "[1_000]",
            "[٣]",
        ] {
            let error = parse_f32(text).unwrap_err();
            assert_eq!((error.to_string(), error.detail()), (syntax(text), None), "{text}");
        }
        for text in ["", " ", "1,2", "{1,2}", "]"] {
            let error = parse_f32(text).unwrap_err();
            assert_eq!(error.to_string(), syntax(text));
            assert_eq!(error.detail(), Some("Vector contents must start with \"[\"."), "{text}");
        }
        for text in ["[1,2,3]]", "[1,2,3]9", "[1],"] {
            let error = parse_f32(text).unwrap_err();
            assert_eq!(error.to_string(), syntax(text));
            assert_eq!(error.detail(), Some("Junk after closing right brace."), "{text}");
        }
        for (text, message) in [
            ("[]", "veravec must have at least 1 dimension"),
            ("[ ]", "veravec must have at least 1 dimension"),
            ("[4e38,1]", "\"4e38\" is out of range for type veravec"),
            ("[1,-1e400]", "\"-1e400\" is out of range for type veravec"),
            ("[0x1p128]", "\"0x1p128\" is out of range for type veravec"),
            ("[NaN,1]", "NaN not allowed in veravec"),
            ("[-nan]", "NaN not allowed in veravec"),
            ("[Infinity,1]", "infinite value not allowed in veravec"),
            ("[-inf,1]", "infinite value not allowed in veravec"),
        ] {
            assert_eq!(parse_f32(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn counts_dimensions() {
        let text = |dim: usize| format!("[{}]", vec!["1"; dim].join(","));
        assert_eq!(parse_f32(&text(MAX_DIM)).unwrap().len(), MAX_DIM);
        assert_eq!(
            parse_f32(&text(MAX_DIM + 1)).unwrap_err().to_string(),
            "veravec cannot have more than 16000 dimensions"
        );
        assert_eq!(parse::<f32>(b"[1,2]", Some(3)).unwrap_err().to_string(), "expected 3 dimensions, not 2");
        assert_eq!(parse::<f32>(b"[1,2,3]", Some(3)).unwrap(), [1.0, 2.0, 3.0]);
    }
}
