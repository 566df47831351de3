//! Progressive codes of vectors, and lower bounds of distances to what they stand for.
//!
//! ARCHITECTURE.md, "Codes and bounds", has the formulas and their proof, rounding included.
//!
//! * [`Encoder`] makes an [`EncodedRow`] of a vector: coarse and fine code, and a few constants
//! * [`Query`] gives bounds for a query vector: of all rows of a page from their coarse codes, and of single
//!   rows from both
//! * [`kernels`]: the integer sums behind them, for each instruction set

mod arithmetic;
mod encode;
pub mod kernels;
mod query;
mod rotated;
mod rotation;
mod taxicab;

pub use encode::{EncodedRow, Encoder, Violation};
pub use query::{Interval, Query, Refined};
pub use rotation::Rotation;

use crate::Metric;

/// Which codes an index has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeKind {
    /// For L2, inner product and cosine.
    Rotated,
    /// For L1.
    Taxicab,
}

impl CodeKind {
    /// The codes that bound a metric.
    pub fn of(metric: Metric) -> Self {
        match metric {
            Metric::L2 | Metric::NegativeInnerProduct | Metric::Cosine => Self::Rotated,
            Metric::L1 => Self::Taxicab,
        }
    }

    /// The number that stands for it on disk.
    pub fn number(self) -> u32 {
        match self {
            Self::Rotated => 1,
            Self::Taxicab => 2,
        }
    }

    /// Constants of a row beside its coarse code.
    pub fn constants(self) -> usize {
        match self {
            Self::Rotated => 5,
            Self::Taxicab => 2,
        }
    }

    /// Constants of a row beside its fine code.
    pub fn fine_constants(self) -> usize {
        match self {
            Self::Rotated => 3,
            Self::Taxicab => 1,
        }
    }
}

/// What a slot of an index holds; the numbers are those on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RowState {
    /// Nothing.
    Free = 0,
    /// A row with codes.
    Coded = 1,
    /// A row whose vector is NULL.
    Null = 2,
    /// A row that has no bound, and always has to be looked at.
    Unbounded = 3,
    /// A row with codes whose vector is zero, so that cosine has no value.
    Zero = 4,
}

impl RowState {
    /// The state for a number on disk, if it is one.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Free, Self::Coded, Self::Null, Self::Unbounded, Self::Zero]
            .into_iter()
            .find(|&state| state as u8 == number)
    }
}

/// Bytes of a row's code at one level: two dimensions in each, padded to a multiple of 32.
pub fn row_bytes(dimensions: usize) -> usize {
    dimensions.div_ceil(2).next_multiple_of(32)
}

/// Norms between this and its reciprocal are bounded; others, but zero, are not.
const LEAST_NORM: f64 = 1.0 / ((1u64 << 50) as f64);

/// The centre for rows whose mean is `mean`: zero if that is out of the range in which queries have bounds.
pub fn center_for(mean: Vec<f32>) -> Vec<f32> {
    if is_boundable(arithmetic::square(&mean).sqrt()) { mean } else { vec![0.0; mean.len()] }
}

fn is_boundable(norm: f64) -> bool {
    norm == 0.0 || (LEAST_NORM..=1.0 / LEAST_NORM).contains(&norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_are_boundable() {
        for kept in [[0.0, 0.0], [1.0, -2.0], [1e-10, 0.0], [0.0, 1e14]] {
            assert_eq!(center_for(kept.to_vec()), kept);
        }
        for replaced in
            [[1e-20, 0.0], [f32::MIN_POSITIVE, 0.0], [1e16, 1.0], [f32::INFINITY, 0.0], [f32::NAN, 0.0]]
        {
            assert_eq!(center_for(replaced.to_vec()), [0.0, 0.0]);
        }
    }
}
