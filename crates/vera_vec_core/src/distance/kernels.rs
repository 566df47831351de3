//! The kernel, written once over the [`Terms`] of a metric and the [`Register`] of an instruction set; and the
//! portable register.
//!
//! It adds terms in `N` registers of `W` lanes each; `N · W` is the same for every instruction set, so that every
//! element falls into the same lane. All functions are compiled into their callers, which are compiled for the CPU
//! features that the register needs (see `kernels!`). They pass no closures for the work on registers: a closure
//! has those features only where it happens to be inlined, which cost a factor of 80.

#![allow(clippy::needless_range_loop)] // loops over lanes have constant bounds so that lanes stay in registers

use super::SimdLevel;
use crate::element::{Element, f16};

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
    unsafe fn zero() -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn abs(self) -> Self;
    /// Adds lane i + n to lane i for n = W/2, W/4, …, 4; what is then in the first four lanes.
    fn fold(self) -> [f32; 4];
}

/// A register that elements `E` can be loaded into, widened to float32.
pub(super) trait Load<E, const W: usize>: Register<W> {
    /// # Safety
    /// The CPU has the features that this type's instructions need.
    unsafe fn load(from: &[E; W]) -> Self;
}

/// The terms of `K` sums over dimensions.
pub(super) trait Terms<const K: usize> {
    /// Lanes of each sum: enough additions under way to wait for none of them, and no more than registers hold.
    const LANES: usize;

    /// The terms for some dimensions.
    fn of<R: Register<W>, const W: usize>(a: R, b: R) -> [R; K];
}

/// (aᵢ − bᵢ)²
pub(super) struct SquaredDifference;

impl Terms<1> for SquaredDifference {
    const LANES: usize = 64;

    #[inline(always)]
    fn of<R: Register<W>, const W: usize>(a: R, b: R) -> [R; 1] {
        let difference = a.sub(b);
        [difference.mul(difference)]
    }
}

/// aᵢbᵢ
pub(super) struct Product;

impl Terms<1> for Product {
    const LANES: usize = 64;

    #[inline(always)]
    fn of<R: Register<W>, const W: usize>(a: R, b: R) -> [R; 1] {
        [a.mul(b)]
    }
}

/// |aᵢ − bᵢ|
pub(super) struct AbsoluteDifference;

impl Terms<1> for AbsoluteDifference {
    const LANES: usize = 64;

    #[inline(always)]
    fn of<R: Register<W>, const W: usize>(a: R, b: R) -> [R; 1] {
        [a.sub(b).abs()]
    }
}

/// aᵢbᵢ, aᵢ² and bᵢ²
pub(super) struct ProductAndSquares;

impl Terms<3> for ProductAndSquares {
    const LANES: usize = 32;

    #[inline(always)]
    fn of<R: Register<W>, const W: usize>(a: R, b: R) -> [R; 3] {
        [a.mul(b), a.mul(a), b.mul(b)]
    }
}

/// Sums of [`Terms`] over all dimensions.
///
/// # Safety
/// The CPU has the features that `R` needs.
#[inline(always)]
pub(super) unsafe fn sums<T, E, R, const W: usize, const N: usize, const K: usize>(
    a: &[E],
    b: &[E],
) -> [f64; K]
where
    T: Terms<K>,
    E: Element,
    R: Load<E, W>,
{
    const { assert!(N * W == T::LANES) };
    let dim = a.len().min(b.len());
    let mut totals = [0.0; K];
    for (a, b) in a[..dim].chunks(BLOCK).zip(b[..dim].chunks(BLOCK)) {
        // SAFETY: the caller's.
        let mut lanes = [[unsafe { R::zero() }; N]; K];
        let (a, a_tail) = a.as_chunks::<W>();
        let (b, b_tail) = b.as_chunks::<W>();
        let (a, a_rest) = a.as_chunks::<N>();
        let (b, b_rest) = b.as_chunks::<N>();
        for (a, b) in a.iter().zip(b) {
            for i in 0..N {
                // SAFETY: the caller's.
                unsafe { add_terms::<T, E, R, W, N, K>(&mut lanes, i, &a[i], &b[i]) };
            }
        }
        if !(a_rest.is_empty() && a_tail.is_empty()) {
            // What is left is less than all lanes: whole registers, then one that zeros fill up, whose terms are
            // zero.
            let (a_tail, b_tail) = (padded(a_tail), padded(b_tail));
            for i in 0..N {
                let (a, b) = match (a_rest.get(i), b_rest.get(i)) {
                    (Some(a), Some(b)) => (a, b),
                    _ if i == a_rest.len() => (&a_tail, &b_tail),
                    _ => break,
                };
                // SAFETY: the caller's.
                unsafe { add_terms::<T, E, R, W, N, K>(&mut lanes, i, a, b) };
            }
        }
        for k in 0..K {
            totals[k] += sum_lanes(lanes[k]);
        }
    }
    totals
}

/// Adds the terms of one register's dimensions to register `i` of each sum.
///
/// # Safety
/// The CPU has the features that `R` needs.
#[inline(always)]
unsafe fn add_terms<T, E, R, const W: usize, const N: usize, const K: usize>(
    lanes: &mut [[R; N]; K],
    i: usize,
    a: &[E; W],
    b: &[E; W],
) where
    T: Terms<K>,
    R: Load<E, W>,
{
    // SAFETY: the caller's.
    let terms = T::of(unsafe { R::load(a) }, unsafe { R::load(b) });
    for k in 0..K {
        lanes[k][i] = lanes[k][i].add(terms[k]);
    }
}

/// The last elements of a vector, and zeros.
#[inline(always)]
fn padded<E: Element, const W: usize>(tail: &[E]) -> [E; W] {
    let mut lanes = [E::from_f32(0.0); W];
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

/// Makes the kernels of a level over a register type of `$width` lanes, and one for the three sums of the cosine
/// distance, compiled for the CPU features named; the latter for half precision.
macro_rules! kernels {
    ($name:ident, $level:expr, $register:ty, $width:literal, cosine $cosine_register:ty, $cosine_width:literal
     $(, $feature:literal, half $half_feature:literal)?) => {
        pub(super) static $name: $crate::distance::Kernels = $crate::distance::Kernels {
            level: $level,
            single: $crate::distance::kernels::table!(
                f32, $register, $width, cosine $cosine_register, $cosine_width $(, $feature)?
            ),
            half: $crate::distance::kernels::table!(
                $crate::element::f16, $register, $width, cosine $cosine_register, $cosine_width $(, $half_feature)?
            ),
        };
    };
}
pub(super) use kernels;

/// Makes the table of kernels for one type of elements.
macro_rules! table {
    ($element:ty, $register:ty, $width:literal, cosine $cosine_register:ty, $cosine_width:literal
     $(, $feature:literal)?) => {{
        use $crate::distance::kernels::{
            AbsoluteDifference, Product, ProductAndSquares, SquaredDifference, Terms, sums,
        };
        type E = $element;
        // Each of them: # Safety: the CPU has the features named.
        $(#[target_feature(enable = $feature)])?
        unsafe fn l2_sq(a: &[E], b: &[E]) -> [f64; 1] {
            // SAFETY: the caller's.
            unsafe { sums::<SquaredDifference, E, $register, $width, { SquaredDifference::LANES / $width }, 1>(a, b) }
        }
        $(#[target_feature(enable = $feature)])?
        unsafe fn inner_product(a: &[E], b: &[E]) -> [f64; 1] {
            // SAFETY: the caller's.
            unsafe { sums::<Product, E, $register, $width, { Product::LANES / $width }, 1>(a, b) }
        }
        $(#[target_feature(enable = $feature)])?
        unsafe fn l1(a: &[E], b: &[E]) -> [f64; 1] {
            // SAFETY: the caller's.
            unsafe { sums::<AbsoluteDifference, E, $register, $width, { AbsoluteDifference::LANES / $width }, 1>(a, b) }
        }
        $(#[target_feature(enable = $feature)])?
        unsafe fn cosine(a: &[E], b: &[E]) -> [f64; 3] {
            // SAFETY: the caller's.
            unsafe { sums::<ProductAndSquares, E, $cosine_register, $cosine_width, { ProductAndSquares::LANES / $cosine_width }, 3>(a, b) }
        }
        $crate::distance::Table { l2_sq, inner_product, l1, cosine }
    }};
}
pub(super) use table;

/// A register without instructions of its own: the compiler makes of it what the architecture always has.
#[derive(Clone, Copy)]
struct Portable([f32; 16]);

impl Load<f32, 16> for Portable {
    #[inline(always)]
    unsafe fn load(from: &[f32; 16]) -> Self {
        Self(*from)
    }
}

impl Load<f16, 16> for Portable {
    #[inline(always)]
    unsafe fn load(from: &[f16; 16]) -> Self {
        Self(from.map(f16::to_f32))
    }
}

impl Register<16> for Portable {
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

kernels!(PORTABLE, SimdLevel::Portable, Portable, 16, cosine Portable, 16);
