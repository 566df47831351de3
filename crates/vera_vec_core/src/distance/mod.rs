//! The kernels that compute distances, and the choice among them.
//!
//! **One result everywhere.** Each kernel is one sequence of IEEE operations (kernels.rs) that is compiled for
//! several instruction sets: the same products and the same additions in the same order, only more or fewer
//! of them at a time. So every level gives the same bits, and two servers, or a server and its replica on
//! another machine, order rows alike. This is why nothing here uses fused multiply-add, whose single
//! rounding a CPU without it could only imitate slowly; benches/README.md has what that costs.
//!
//! **Error.** See [`RELATIVE_ERROR`].

// The only module of the crate with unsafe code: intrinsics, and functions that need certain CPU features.
#![allow(unsafe_code)]

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod kernels;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use std::sync::LazyLock;

use crate::element::{Element, f16};
use crate::metric::Metric;

/// Bound of a kernel's rounding error, relative to the sum of its terms' magnitudes.
///
/// A kernel's sum S̃ = Σtᵢ of `dim` terms, if it is finite, differs from the exact value by at most
/// `RELATIVE_ERROR · Σ|tᵢ| + dim · ABSOLUTE_ERROR`, where tᵢ is aᵢbᵢ (so that Σ|tᵢ| ≤ ‖a‖·‖b‖), (aᵢ − bᵢ)²
/// or |aᵢ − bᵢ|.
///
/// Why, with u = 2⁻²⁴: a term is computed from float32 with at most three roundings ((1+δ)³ for the square of
/// a difference), with one in the kernel of three sums. Of a block of 2,048 terms each lane adds its share in
/// float32, the first to zero, which is exact: 31 roundings for 64 lanes, 63 for the 32 lanes of each of three
/// sums. Lanes are added in float32 by halves until 4 are left: 4 roundings or 3. These, and the blocks, are added
/// in float64: at most 2 + 7 roundings of 2⁻⁵³. So each term is multiplied by at most (1+u)⁶⁷(1+2⁻⁵³)⁹, which is
/// below 1 + 68u. Additions do not underflow; a product does, by at most half of the least denormal, 2⁻¹⁵⁰, and so
/// does what rounding makes of that: 2⁻¹⁴⁹ covers both.
pub const RELATIVE_ERROR: f64 = 68.0 / 16_777_216.0;

/// Bound of the rounding error of a sum of `dim` terms in float32, relative to the sum of its terms' magnitudes, whatever
/// the order of its additions: of operators that are not made of these kernels.
///
/// Why, with u = 2⁻²⁴: a term is computed with at most three roundings, as for [`RELATIVE_ERROR`], or with fewer if it is
/// fused with an addition. It takes part in at most dim − 1 additions, each with a rounding of u. So it is multiplied by
/// at most (1+u)^(dim+2), which is below 1 + n·u / (1 − n·u) for n = dim + 2 (N. Higham, Accuracy and Stability of
/// Numerical Algorithms, lemma 3.1). One more is for what rounds the sum again, as a conversion does.
#[must_use]
pub fn any_order_error(dim: usize) -> f64 {
    #[allow(clippy::cast_precision_loss)] // at most 16,000
    let error = (dim + 3) as f64 / 16_777_216.0;
    error / (1.0 - error)
}

/// Bound of the error that underflow adds, for each dimension. See [`RELATIVE_ERROR`].
pub const ABSOLUTE_ERROR: f64 = f64::from_bits((1023 - 149) << 52);

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimdLevel {
    /// What every CPU of the architecture has.
    Portable,
    /// aarch64: Advanced SIMD, 128 bits.
    Neon,
    /// x86-64: AVX2 and F16C, 256 bits.
    Avx2,
    /// x86-64: AVX-512F, 512 bits.
    Avx512,
}

impl SimdLevel {
    /// All of them, the widest last.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// The name that `vera_vec_simd_level()` shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// The three sums of the cosine distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineSums {
    /// Σaᵢbᵢ
    pub dot: f64,
    /// Σaᵢ²
    pub a_sq: f64,
    /// Σbᵢ²
    pub b_sq: f64,
}

type Sums<E, const K: usize> = unsafe fn(&[E], &[E]) -> [f64; K];

/// The kernels of one [`SimdLevel`] for vectors with elements `E`.
#[derive(Debug)]
pub struct Table<E> {
    l2_sq: Sums<E, 1>,
    inner_product: Sums<E, 1>,
    l1: Sums<E, 1>,
    cosine: Sums<E, 3>,
}

/// The kernels of one [`SimdLevel`].
///
/// Those for `f16` widen elements and go on as those for `f32`: a vector's distances have the same bits as those
/// of the widened vector.
///
/// Shapes: `a`, `b`: \[dim\], any alignment, `dim` may be 0. If the lengths differ, the shorter counts.
#[derive(Debug)]
pub struct Kernels {
    level: SimdLevel,
    pub(crate) single: Table<f32>,
    pub(crate) half: Table<f16>,
}

impl Kernels {
    /// The kernels for a level; none if this CPU or this architecture does not have it.
    pub fn for_level(level: SimdLevel) -> Option<&'static Self> {
        match level {
            SimdLevel::Portable => Some(&kernels::PORTABLE),
            #[cfg(target_arch = "aarch64")]
            SimdLevel::Neon => std::arch::is_aarch64_feature_detected!("neon").then_some(&aarch64::NEON),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => has_avx2().then_some(&x86_64::AVX2),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => {
                // AVX2 too: some of the table's kernels use its registers.
                (is_x86_feature_detected!("avx512f") && has_avx2()).then_some(&x86_64::AVX512)
            }
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }

    /// The kernels for the widest level that this CPU has; looked up once.
    pub fn best() -> &'static Self {
        static BEST: LazyLock<&'static Kernels> = LazyLock::new(|| {
            SimdLevel::ALL
                .iter()
                .rev()
                .find_map(|&level| Kernels::for_level(level))
                .unwrap_or(&kernels::PORTABLE)
        });
        *BEST
    }

    /// The level that these kernels are for.
    pub fn level(&self) -> SimdLevel {
        self.level
    }

    /// Squared Euclidean distance Σ(aᵢ − bᵢ)².
    #[inline]
    pub fn l2_sq<E: Element>(&self, a: &[E], b: &[E]) -> f64 {
        // SAFETY: a Kernels can only be had from for_level, which has checked that the CPU has this level.
        let [sum] = unsafe { (E::table(self).l2_sq)(a, b) };
        sum
    }

    /// Inner product Σaᵢbᵢ.
    #[inline]
    pub fn inner_product<E: Element>(&self, a: &[E], b: &[E]) -> f64 {
        // SAFETY: as in l2_sq.
        let [sum] = unsafe { (E::table(self).inner_product)(a, b) };
        sum
    }

    /// Taxicab distance Σ|aᵢ − bᵢ|.
    #[inline]
    pub fn l1<E: Element>(&self, a: &[E], b: &[E]) -> f64 {
        // SAFETY: as in l2_sq.
        let [sum] = unsafe { (E::table(self).l1)(a, b) };
        sum
    }

    /// The sums that the cosine distance is made of, in one pass.
    #[inline]
    pub fn cosine_sums<E: Element>(&self, a: &[E], b: &[E]) -> CosineSums {
        // SAFETY: as in l2_sq.
        let [dot, a_sq, b_sq] = unsafe { (E::table(self).cosine)(a, b) };
        CosineSums { dot, a_sq, b_sq }
    }

    /// Cosine distance; see [`Metric::Cosine`].
    #[inline]
    pub fn cosine<E: Element>(&self, a: &[E], b: &[E]) -> f64 {
        let CosineSums { dot, a_sq, b_sq } = self.cosine_sums(a, b);
        // One root of the product, which for equal vectors gives the exact quotient 1.
        let similarity = dot / (a_sq * b_sq).sqrt();
        1.0 - similarity.clamp(-1.0, 1.0)
    }

    /// The distance that the SQL operator of `metric` gives.
    #[inline]
    pub fn distance<E: Element>(&self, metric: Metric, a: &[E], b: &[E]) -> f64 {
        match metric {
            Metric::L2 => self.l2_sq(a, b).sqrt(),
            Metric::NegativeInnerProduct => -self.inner_product(a, b),
            Metric::Cosine => self.cosine(a, b),
            Metric::L1 => self.l1(a, b),
        }
    }
}

/// AVX2, and F16C, which all CPUs with AVX2 have.
#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c")
}
