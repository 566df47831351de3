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

/// Bound of the error that underflow adds, for each dimension. See [`RELATIVE_ERROR`].
pub const ABSOLUTE_ERROR: f64 = f64::from_bits((1023 - 149) << 52);

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimdLevel {
    /// What every CPU of the architecture has.
    Portable,
    /// aarch64: Advanced SIMD, 128 bits.
    Neon,
    /// x86-64: AVX2, 256 bits.
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

type Sums<const K: usize> = unsafe fn(&[f32], &[f32]) -> [f64; K];

/// The kernels of one [`SimdLevel`].
///
/// Shapes: `a`, `b`: \[dim\], any alignment, `dim` may be 0. If the lengths differ, the shorter counts.
#[derive(Debug)]
pub struct Kernels {
    level: SimdLevel,
    l2_sq: Sums<1>,
    inner_product: Sums<1>,
    l1: Sums<1>,
    cosine: Sums<3>,
}

impl Kernels {
    /// The kernels for a level; none if this CPU or this architecture does not have it.
    pub fn for_level(level: SimdLevel) -> Option<&'static Self> {
        match level {
            SimdLevel::Portable => Some(&kernels::PORTABLE),
            #[cfg(target_arch = "aarch64")]
            SimdLevel::Neon => std::arch::is_aarch64_feature_detected!("neon").then_some(&aarch64::NEON),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => is_x86_feature_detected!("avx2").then_some(&x86_64::AVX2),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => {
                // AVX2 too: some of the table's kernels use its registers.
                let detected = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2");
                detected.then_some(&x86_64::AVX512)
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
    pub fn l2_sq(&self, a: &[f32], b: &[f32]) -> f64 {
        // SAFETY: a Kernels can only be had from for_level, which has checked that the CPU has this level.
        let [sum] = unsafe { (self.l2_sq)(a, b) };
        sum
    }

    /// Inner product Σaᵢbᵢ.
    #[inline]
    pub fn inner_product(&self, a: &[f32], b: &[f32]) -> f64 {
        // SAFETY: as in l2_sq.
        let [sum] = unsafe { (self.inner_product)(a, b) };
        sum
    }

    /// Taxicab distance Σ|aᵢ − bᵢ|.
    #[inline]
    pub fn l1(&self, a: &[f32], b: &[f32]) -> f64 {
        // SAFETY: as in l2_sq.
        let [sum] = unsafe { (self.l1)(a, b) };
        sum
    }

    /// The sums that the cosine distance is made of, in one pass.
    #[inline]
    pub fn cosine_sums(&self, a: &[f32], b: &[f32]) -> CosineSums {
        // SAFETY: as in l2_sq.
        let [dot, a_sq, b_sq] = unsafe { (self.cosine)(a, b) };
        CosineSums { dot, a_sq, b_sq }
    }

    /// Cosine distance; see [`Metric::Cosine`].
    #[inline]
    pub fn cosine(&self, a: &[f32], b: &[f32]) -> f64 {
        let CosineSums { dot, a_sq, b_sq } = self.cosine_sums(a, b);
        // One root of the product, which for equal vectors gives the exact quotient 1.
        let similarity = dot / (a_sq * b_sq).sqrt();
        1.0 - similarity.clamp(-1.0, 1.0)
    }

    /// The distance that the SQL operator of `metric` gives.
    #[inline]
    pub fn distance(&self, metric: Metric, a: &[f32], b: &[f32]) -> f64 {
        match metric {
            Metric::L2 => self.l2_sq(a, b).sqrt(),
            Metric::NegativeInnerProduct => -self.inner_product(a, b),
            Metric::Cosine => self.cosine(a, b),
            Metric::L1 => self.l1(a, b),
        }
    }
}
