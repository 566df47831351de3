//! Arithmetic, norms, order and slices of vectors, over any [`Element`].
//!
//! A vector is a slice of 1 to [`crate::MAX_DIM`] finite elements. Results are written to a slice that the
//! caller provides, of the operands' length, because the caller knows where the result has to live.

use std::cmp::Ordering;

use crate::element::{Element, check_same_dim};
use crate::error::VectorError;

/// A binary operation that is done element by element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// aᵢ + bᵢ
    Add,
    /// aᵢ − bᵢ
    Subtract,
    /// aᵢ · bᵢ
    Multiply,
}

/// Element-wise `a ∘ b`, rounded to the element type.
///
/// Shapes: `a`, `b`, `result`: \[dim\].
/// Errors: [`VectorError::DifferentDimensions`]; [`VectorError::Overflow`] if an element of the result is
/// infinite; [`VectorError::Underflow`] if a product of numbers other than zero is zero.
pub fn arithmetic<E: Element>(
    operation: Arithmetic,
    a: &[E],
    b: &[E],
    result: &mut [E],
) -> Result<(), VectorError> {
    check_same_dim(a, b)?;
    let compute: fn(f32, f32) -> f32 = match operation {
        Arithmetic::Add => |x, y| x + y,
        Arithmetic::Subtract => |x, y| x - y,
        Arithmetic::Multiply => |x, y| x * y,
    };
    for ((r, x), y) in result.iter_mut().zip(a).zip(b) {
        let (x, y) = (x.to_f32(), y.to_f32());
        *r = E::from_f32(compute(x, y));
        let value = r.to_f32();
        if value.is_infinite() {
            return Err(VectorError::Overflow);
        }
        if operation == Arithmetic::Multiply && value == 0.0 && x != 0.0 && y != 0.0 {
            return Err(VectorError::Underflow);
        }
    }
    Ok(())
}

/// `factor · a`, computed in float64 and rounded to the element type.
///
/// Errors: [`VectorError::Overflow`] and [`VectorError::Underflow`] as for [`arithmetic`];
/// [`VectorError::NotANumber`] and [`VectorError::Infinite`] if `factor` is not finite.
pub fn scale<E: Element>(factor: f64, a: &[E], result: &mut [E]) -> Result<(), VectorError> {
    if factor.is_nan() {
        return Err(VectorError::NotANumber { type_name: E::TYPE_NAME });
    }
    if factor.is_infinite() {
        return Err(VectorError::Infinite { type_name: E::TYPE_NAME });
    }
    for (r, x) in result.iter_mut().zip(a) {
        *r = E::from_f64(factor * f64::from(x.to_f32()));
        let value = r.to_f32();
        if value.is_infinite() {
            return Err(VectorError::Overflow);
        }
        if value == 0.0 && factor != 0.0 && x.to_f32() != 0.0 {
            return Err(VectorError::Underflow);
        }
    }
    Ok(())
}

/// Euclidean norm √Σaᵢ², summed in float64: no overflow, no underflow.
///
/// Relative error below 2⁻⁴¹: each of 8 sums adds up to 2,000 squares, which are exact, with half of that left by
/// the root.
pub fn norm<E: Element>(a: &[E]) -> f64 {
    // Several sums, so that additions need not wait for each other.
    let mut lanes = [0.0f64; 8];
    for chunk in a.chunks(lanes.len()) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            let x = f64::from(x.to_f32());
            *lane += x * x;
        }
    }
    lanes.iter().sum::<f64>().sqrt()
}

/// `a / |a|`; a zero vector gives a zero vector.
///
/// Errors: [`VectorError::Overflow`], which takes an element type whose denormals have few digits.
pub fn normalize<E: Element>(a: &[E], result: &mut [E]) -> Result<(), VectorError> {
    let norm = norm(a);
    for (r, x) in result.iter_mut().zip(a) {
        *r = if norm > 0.0 { E::from_f64(f64::from(x.to_f32()) / norm) } else { E::from_f32(0.0) };
        if r.to_f32().is_infinite() {
            return Err(VectorError::Overflow);
        }
    }
    Ok(())
}

/// Order of vectors: by the first element that differs, else the shorter first, as PostgreSQL's arrays.
///
/// Total, because elements are finite; 0 and −0 are equal.
pub fn compare<E: Element>(a: &[E], b: &[E]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(x, y)| x.partial_cmp(y).unwrap_or(Ordering::Equal))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// The elements from `start` (counted from 1), `count` of them, as far as the vector has them.
///
/// `start` may be below 1 and `start + count` beyond the end, as for `substring`.
/// Errors: [`VectorError::NoDimensions`] if nothing is left.
pub fn subvector<E: Element>(a: &[E], start: i32, count: i32) -> Result<&[E], VectorError> {
    let position = |index: i64| usize::try_from(index.max(1) - 1).unwrap_or(0).min(a.len());
    let begin = position(i64::from(start));
    // Positions before the first count too, as in pgvector: three elements from -1 are those at -1, 0 and 1.
    let end = if count < 1 { begin } else { position(i64::from(start) + i64::from(count)) };
    if begin < end { Ok(&a[begin..end]) } else { Err(VectorError::NoDimensions { type_name: E::TYPE_NAME }) }
}

/// One bit for each element, the first in the highest bit of the first byte: 1 where it is greater than 0.
///
/// Shapes: `a`: \[dim\]; `bits`: \[⌈dim / 8⌉\].
pub fn binary_quantize<E: Element>(a: &[E], bits: &mut [u8]) {
    for (byte, chunk) in bits.iter_mut().zip(a.chunks(8)) {
        *byte =
            chunk.iter().enumerate().fold(0, |byte, (i, x)| byte | (u8::from(x.to_f32() > 0.0) << (7 - i)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_checks_its_results() {
        let mut r = [0.0f32; 2];
        arithmetic(Arithmetic::Subtract, &[3.0, 1.0], &[1.0, 4.0], &mut r).unwrap();
        assert_eq!(r, [2.0, -3.0]);
        assert_eq!(arithmetic(Arithmetic::Add, &[3e38f32], &[3e38], &mut r), Err(VectorError::Overflow));
        assert_eq!(
            arithmetic(Arithmetic::Multiply, &[1e-37f32], &[1e-37], &mut r),
            Err(VectorError::Underflow)
        );
        assert_eq!(arithmetic(Arithmetic::Multiply, &[0.0f32], &[1e-37], &mut r), Ok(()));
        assert_eq!(
            arithmetic(Arithmetic::Add, &[1.0f32], &[1.0, 2.0], &mut r).unwrap_err().to_string(),
            "different veravec dimensions 1 and 2"
        );
    }

    #[test]
    fn scale_checks_its_results() {
        let mut r = [0.0f32; 2];
        scale(-0.5, &[3.0, 1.0], &mut r).unwrap();
        assert_eq!(r, [-1.5, -0.5]);
        assert_eq!(scale(1e300, &[1.0f32], &mut r), Err(VectorError::Overflow));
        assert_eq!(scale(1e-300, &[1.0f32], &mut r), Err(VectorError::Underflow));
        assert_eq!(scale(0.0, &[1.0f32], &mut r), Ok(()));
        assert!(scale(f64::NAN, &[1.0f32], &mut r).is_err());
        assert!(scale(f64::INFINITY, &[0.0f32], &mut r).is_err());
    }

    #[test]
    fn norm_does_not_overflow() {
        assert_eq!(norm(&[3.0f32, 4.0]), 5.0);
        assert_eq!(norm(&[3e37f32, 4e37]), f64::hypot(f64::from(3e37f32), f64::from(4e37f32)));
    }

    #[test]
    fn normalize_keeps_zero() {
        let mut r = [1.0f32; 2];
        normalize(&[0.0, -0.0], &mut r).unwrap();
        assert_eq!(r, [0.0, 0.0]);
        normalize(&[3.0, 4.0], &mut r).unwrap();
        assert_eq!(r, [0.6, 0.8]);
    }

    #[test]
    fn compare_orders_by_value_then_length() {
        assert_eq!(compare(&[1.0f32, 2.0], &[1.0, 3.0]), Ordering::Less);
        assert_eq!(compare(&[2.0f32], &[1.0, 3.0]), Ordering::Greater);
        assert_eq!(compare(&[1.0f32], &[1.0, -3.0]), Ordering::Less);
        assert_eq!(compare(&[0.0f32], &[-0.0]), Ordering::Equal);
    }

    #[test]
    fn subvector_clamps_at_both_ends() {
        let a = [1.0f32, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(subvector(&a, 1, 3), Ok(&a[..3]));
        assert_eq!(subvector(&a, 3, 2), Ok(&a[2..4]));
        assert_eq!(subvector(&a, -1, 3), Ok(&a[..1]));
        assert_eq!(subvector(&a, 3, 9), Ok(&a[2..]));
        assert_eq!(subvector(&a, 1, i32::MAX), Ok(&a[..]));
        assert_eq!(
            subvector(&a, i32::MIN, i32::MAX).unwrap_err().to_string(),
            "veravec must have at least 1 dimension"
        );
        for (start, count) in [(1, 0), (3, -1), (i32::MIN, i32::MIN), (6, 1), (-1, 2), (i32::MAX, i32::MAX)] {
            assert!(subvector(&a, start, count).is_err(), "{start} {count}");
        }
    }

    #[test]
    fn binary_quantize_packs_from_the_highest_bit() {
        let mut bits = [0; 2];
        binary_quantize(&[1.0f32, 0.0, -1.0, 2.0, -0.0, 1e-45, 3.0, -3.0, 4.0], &mut bits);
        assert_eq!(bits, [0b1001_0110, 0b1000_0000]);
    }
}
