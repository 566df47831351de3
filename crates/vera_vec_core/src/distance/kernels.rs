//! The kernels, written once over the [`Register`] of an instruction set; and the portable register.
//!
//! A kernel adds its terms in `N` registers of `W` lanes each; `N · W` is the same for every instruction set,
//! so that every element falls into the same lane. All functions are compiled into their callers, which are
//! compiled for the CPU features that the register needs (see `kernels!`). They pass no closures for the work
//! on registers: a closure has those features only where it happens to be inlined, which cost a factor of 80.

#![allow(clippy::needless_range_loop)] // loops over lanes have constant bounds so that lanes stay in registers

use super::{CosineSums, SimdLevel};

/// Lanes of the kernels with one sum: enough additions under way to wait for none of them.
const SUM_LANES: usize = 64;

/// Lanes of each sum of the cosine kernel: with three sums, more would not fit into the registers of AVX2.
const COSINE_LANES: usize = 32;

/// Dimensions whose terms are added in float32, each lane its share, before the sum moves on to float64.
///
/// It bounds the rounding error whatever the number of dimensions (see [`super::RELATIVE_ERROR`]), and is
/// large enough for moving to cost little.
const BLOCK: usize = 2048;

/// `W` float32 numbers in one hardware register.
///
/// Operations are IEEE single precision, lane by lane, rounded to nearest, not contracted. Implementors use
/// instructions that need a CPU feature; a value of the type shows that the CPU has it, which is why making
/// one is unsafe.
pub(super) trait Register<const W: usize>: Copy {
    /// # Safety
    /// The CPU has the features that this type's instructions need.
    unsafe fn load(from: &[f32; W]) -> Self;
    /// # Safety
    /// The CPU has the features that this type's instructions need.
    unsafe fn zero() -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn abs(self) -> Self;
    /// Adds lane i + n to lane i for n = W/2, W/4, …, 4; what is then in the first four lanes.
    fn fold(self) -> [f32; 4];
}

/// The terms of a sum over dimensions.
pub(super) trait Term {
    fn of<R: Register<W>, const W: usize>(a: R, b: R) -> R;
}

/// (aᵢ − bᵢ)²
pub(super) struct SquaredDifference;

impl Term for SquaredDifference {
    #[inline(always)]
    fn of<R: Register<W>, const W: usize>(a: R, b: R) -> R {
        let difference = a.sub(b);
        difference.mul(difference)
    }
}

/// aᵢ · bᵢ
pub(super) struct Product;

impl Term for Product {
    #[inline(always)]
    fn of<R: Register<W>, const W: usize>(a: R, b: R) -> R {
        a.mul(b)
    }
}

/// |aᵢ − bᵢ|
pub(super) struct AbsoluteDifference;

impl Term for AbsoluteDifference {
    #[inline(always)]
    fn of<R: Register<W>, const W: usize>(a: R, b: R) -> R {
        a.sub(b).abs()
    }
}

/// Sum of a [`Term`] over all dimensions.
///
/// # Safety
/// The CPU has the features that `R` needs.
#[inline(always)]
pub(super) unsafe fn sum<T: Term, R: Register<W>, const W: usize, const N: usize>(
    a: &[f32],
    b: &[f32],
) -> f64 {
    const { assert!(N * W == SUM_LANES) };
    let dim = a.len().min(b.len());
    let mut total = 0.0;
    for (a, b) in a[..dim].chunks(BLOCK).zip(b[..dim].chunks(BLOCK)) {
        // SAFETY: the caller's.
        let mut lanes = [unsafe { R::zero() }; N];
        let (a, a_tail) = a.as_chunks::<W>();
        let (b, b_tail) = b.as_chunks::<W>();
        let (a, a_rest) = a.as_chunks::<N>();
        let (b, b_rest) = b.as_chunks::<N>();
        for (a, b) in a.iter().zip(b) {
            for i in 0..N {
                // SAFETY: the caller's.
                lanes[i] = lanes[i].add(unsafe { T::of(R::load(&a[i]), R::load(&b[i])) });
            }
        }
        if !(a_rest.is_empty() && a_tail.is_empty()) {
            // What is left is less than all lanes: whole registers, then one that zeros fill up, whose terms are
            // zero. The loop has a constant bound so that lanes stay in registers.
            let (a_tail, b_tail) = (padded(a_tail), padded(b_tail));
            for i in 0..N {
                let (a, b) = match (a_rest.get(i), b_rest.get(i)) {
                    (Some(a), Some(b)) => (a, b),
                    _ if i == a_rest.len() => (&a_tail, &b_tail),
                    _ => break,
                };
                // SAFETY: the caller's.
                lanes[i] = lanes[i].add(unsafe { T::of(R::load(a), R::load(b)) });
            }
        }
        total += sum_lanes(lanes);
    }
    total
}

/// The sums of the cosine distance, in one pass over both vectors.
///
/// # Safety
/// The CPU has the features that `R` needs.
#[inline(always)]
pub(super) unsafe fn cosine<R: Register<W>, const W: usize, const N: usize>(
    a: &[f32],
    b: &[f32],
) -> CosineSums {
    const { assert!(N * W == COSINE_LANES) };
    let dim = a.len().min(b.len());
    let mut sums = CosineSums { dot: 0.0, a_sq: 0.0, b_sq: 0.0 };
    for (a, b) in a[..dim].chunks(BLOCK).zip(b[..dim].chunks(BLOCK)) {
        // SAFETY: the caller's.
        let zeros = [unsafe { R::zero() }; N];
        let mut lanes = [zeros; 3];
        let (a, a_tail) = a.as_chunks::<W>();
        let (b, b_tail) = b.as_chunks::<W>();
        let (a, a_rest) = a.as_chunks::<N>();
        let (b, b_rest) = b.as_chunks::<N>();
        for (a, b) in a.iter().zip(b) {
            for i in 0..N {
                // SAFETY: the caller's.
                unsafe { cosine_step(&mut lanes, i, &a[i], &b[i]) };
            }
        }
        if !(a_rest.is_empty() && a_tail.is_empty()) {
            // As in `sum`.
            let (a_tail, b_tail) = (padded(a_tail), padded(b_tail));
            for i in 0..N {
                let (a, b) = match (a_rest.get(i), b_rest.get(i)) {
                    (Some(a), Some(b)) => (a, b),
                    _ if i == a_rest.len() => (&a_tail, &b_tail),
                    _ => break,
                };
                // SAFETY: the caller's.
                unsafe { cosine_step(&mut lanes, i, a, b) };
            }
        }
        let [dot, a_sq, b_sq] = lanes;
        sums.dot += sum_lanes(dot);
        sums.a_sq += sum_lanes(a_sq);
        sums.b_sq += sum_lanes(b_sq);
    }
    sums
}

/// Adds the terms of one register to the lanes of the three sums.
///
/// # Safety
/// The CPU has the features that `R` needs.
#[inline(always)]
unsafe fn cosine_step<R: Register<W>, const W: usize, const N: usize>(
    [dot, a_sq, b_sq]: &mut [[R; N]; 3],
    i: usize,
    a: &[f32; W],
    b: &[f32; W],
) {
    // SAFETY: the caller's.
    let (a, b) = unsafe { (R::load(a), R::load(b)) };
    dot[i] = dot[i].add(a.mul(b));
    a_sq[i] = a_sq[i].add(a.mul(a));
    b_sq[i] = b_sq[i].add(b.mul(b));
}

/// The last elements of a vector, and zeros.
#[inline(always)]
fn padded<const W: usize>(tail: &[f32]) -> [f32; W] {
    let mut lanes = [0.0; W];
    lanes[..tail.len()].copy_from_slice(tail);
    lanes
}

/// Sum of all lanes: in float32 by halves until 4 are left, then in float64.
#[inline(always)]
fn sum_lanes<R: Register<W>, const W: usize, const N: usize>(mut registers: [R; N]) -> f64 {
    let mut used = N;
    while used > 1 {
        used /= 2;
        for i in 0..used {
            registers[i] = registers[i].add(registers[i + used]);
        }
    }
    let [a, b, c, d] = registers[0].fold().map(f64::from);
    (a + b) + (c + d)
}

/// Makes the table of kernels over a register type of `$width` lanes, compiled for the CPU feature named.
macro_rules! kernels {
    ($name:ident, $level:expr, $register:ty, $width:literal $(, $feature:literal)?) => {
        pub(super) static $name: $crate::distance::Kernels = {
            use $crate::distance::{CosineSums, kernels};
            // Each of them: # Safety: the CPU has the feature named.
            $(#[target_feature(enable = $feature)])?
            unsafe fn l2_sq(a: &[f32], b: &[f32]) -> f64 {
                // SAFETY: the caller's.
                unsafe { kernels::sum::<kernels::SquaredDifference, $register, $width, { 64 / $width }>(a, b) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn inner_product(a: &[f32], b: &[f32]) -> f64 {
                // SAFETY: the caller's.
                unsafe { kernels::sum::<kernels::Product, $register, $width, { 64 / $width }>(a, b) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn l1(a: &[f32], b: &[f32]) -> f64 {
                // SAFETY: the caller's.
                unsafe { kernels::sum::<kernels::AbsoluteDifference, $register, $width, { 64 / $width }>(a, b) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn cosine(a: &[f32], b: &[f32]) -> CosineSums {
                // SAFETY: the caller's.
                unsafe { kernels::cosine::<$register, $width, { 32 / $width }>(a, b) }
            }
            $crate::distance::Kernels { level: $level, l2_sq, inner_product, l1, cosine }
        };
    };
}
pub(super) use kernels;

/// A register without instructions of its own: the compiler makes of it what the architecture always has.
#[derive(Clone, Copy)]
struct Portable([f32; 16]);

impl Register<16> for Portable {
    #[inline(always)]
    unsafe fn load(from: &[f32; 16]) -> Self {
        Self(*from)
    }
    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 16])
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.map(f32::abs))
    }
    #[inline(always)]
    fn fold(self) -> [f32; 4] {
        let halves: [f32; 8] = std::array::from_fn(|i| self.0[i] + self.0[i + 8]);
        std::array::from_fn(|i| halves[i] + halves[i + 4])
    }
}

kernels!(PORTABLE, SimdLevel::Portable, Portable, 16);
