//! The kernels that compare a query with codes, and the choice among them.
//!
//! **Planes.** The 8-bit code of a dimension is split: its high 4 bits are in the coarse plane, its low 4 bits in the
//! fine plane. Byte j of a plane's row holds dimension 2j in its low nibble and dimension 2j + 1 in its high nibble.
//! Rows are a multiple of [`ROW_UNIT`] bytes; dimensions that no vector has are there as nibbles of zero, and the
//! query's weights for them are such that they contribute nothing. The query comes as two arrays, the weights of the
//! low nibbles (`even`) and those of the high ones (`odd`), so that no kernel has to bring nibbles into order.
//!
//! **One result everywhere.** Sums over codes are exact integers. Bounds ([`bounds`]) are float32, each of them one
//! sequence of IEEE operations without fused multiply-add, that is compiled for several instruction sets. So every
//! level gives the same bits.

// Intrinsics, and functions that need certain CPU features.
#![allow(unsafe_code)]

// Elsewhere than on aarch64 its kernels are compiled for their test only, over intrinsics in Rust.
#[cfg(any(target_arch = "aarch64", test))]
mod aarch64;
pub mod bounds;
pub mod levels;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use std::sync::LazyLock;

use crate::element::MAX_DIM;
pub use bounds::{BoundParams, RotatedRows, key_of, value_of};

/// A plane's row is a multiple of this many bytes.
pub const ROW_UNIT: usize = 32;

/// Bytes of the longest row of a plane.
pub const MAX_ROW_BYTES: usize = MAX_DIM.div_ceil(2 * ROW_UNIT) * ROW_UNIT;

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CodeLevel {
    /// What every CPU of the architecture has.
    Portable,
    /// aarch64: Advanced SIMD, 128 bits.
    Neon,
    /// x86-64: AVX2, 256 bits.
    Avx2,
    /// x86-64: AVX-512F and AVX-512BW, 512 bits.
    Avx512,
    /// x86-64: these and AVX-512 VNNI, which multiplies bytes and adds the products in one instruction.
    Avx512Vnni,
}

impl CodeLevel {
    /// All of them, the fastest last.
    pub const ALL: [Self; 5] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512, Self::Avx512Vnni];

    /// A name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512vnni",
        }
    }
}

// What the pointers' callers promise: the CPU has the level's features. What CodeKernels' methods check, the
// functions may rely on for their results, but not for soundness.
type NibbleDots = unsafe fn(&[u8], &[i8], &[i8], &mut [i32]);
type NibbleSads = unsafe fn(&[u8], &[u8], &[u8], &mut [u32]);
type LevelDot = unsafe fn(&[u8], &[u8], &[i16], &[i16]) -> i64;
type ByteSad = unsafe fn(&[u8], &[u8], &[u8], &[u8]) -> u32;

/// The kernels of one [`CodeLevel`].
///
/// Slices may have any alignment. Lengths that contradict each other are a mistake of the caller's, and panic.
#[derive(Debug)]
pub struct CodeKernels {
    level: CodeLevel,
    nibble_dots: NibbleDots,
    nibble_sads: NibbleSads,
    level_dot: LevelDot,
    byte_sad: ByteSad,
    loops: portable::Loops,
}

impl CodeKernels {
    /// The kernels for a level; none if this CPU or this architecture does not have it.
    pub fn for_level(level: CodeLevel) -> Option<&'static Self> {
        match level {
            CodeLevel::Portable => Some(&portable::PORTABLE),
            #[cfg(target_arch = "aarch64")]
            CodeLevel::Neon => std::arch::is_aarch64_feature_detected!("neon").then_some(&aarch64::NEON),
            #[cfg(target_arch = "x86_64")]
            CodeLevel::Avx2 => is_x86_feature_detected!("avx2").then_some(&x86_64::AVX2),
            #[cfg(target_arch = "x86_64")]
            CodeLevel::Avx512 => x86_64::has_avx512().then_some(&x86_64::AVX512),
            #[cfg(target_arch = "x86_64")]
            CodeLevel::Avx512Vnni => {
                let detected = x86_64::has_avx512() && is_x86_feature_detected!("avx512vnni");
                detected.then_some(&x86_64::AVX512_VNNI)
            }
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }

    /// The kernels for the fastest level that this CPU has; looked up once.
    pub fn best() -> &'static Self {
        static BEST: LazyLock<&'static CodeKernels> = LazyLock::new(|| {
            CodeLevel::ALL
                .iter()
                .rev()
                .find_map(|&level| CodeKernels::for_level(level))
                .unwrap_or(&portable::PORTABLE)
        });
        *BEST
    }

    /// The level that these kernels are for.
    pub fn level(&self) -> CodeLevel {
        self.level
    }

    /// Inner products of weights and nibbles, for each of `sums.len()` rows of one plane that follow each other.
    ///
    /// `sums[r]` = Σⱼ `even[j]` · low nibble + `odd[j]` · high nibble of `rows[r · row_bytes + j]`, where `row_bytes`
    /// is the length of `even` and of `odd`.
    ///
    /// # Panics
    /// If `even` and `odd` are of different lengths, of no multiple of [`ROW_UNIT`] or longer than [`MAX_ROW_BYTES`],
    /// or `rows` is not as long as all rows.
    #[inline]
    pub fn nibble_dots(&self, rows: &[u8], even: &[i8], odd: &[i8], sums: &mut [i32]) {
        let Some(rows) = checked_rows(rows, even.len(), odd.len(), sums.len()) else {
            sums.fill(0);
            return;
        };
        // SAFETY: a CodeKernels can only be had from for_level, which has checked that the CPU has this level.
        unsafe { (self.nibble_dots)(rows, even, odd, sums) }
    }

    /// Sums of absolute differences between weights and the middles of what nibbles stand for, for each of
    /// `sums.len()` rows of one plane that follow each other.
    ///
    /// `sums[r]` = Σⱼ |16 · low nibble + 8 − `even[j]`| + |16 · high nibble + 8 − `odd[j]`| over the bytes
    /// `rows[r · row_bytes + j]`; a dimension that no vector has contributes nothing if its weight is 8. For
    /// panics see [`nibble_dots`](Self::nibble_dots).
    #[inline]
    pub fn nibble_sads(&self, rows: &[u8], even: &[u8], odd: &[u8], sums: &mut [u32]) {
        let Some(rows) = checked_rows(rows, even.len(), odd.len(), sums.len()) else {
            sums.fill(0);
            return;
        };
        // SAFETY: as in nibble_dots.
        unsafe { (self.nibble_sads)(rows, even, odd, sums) }
    }

    /// Inner product of weights and the levels of 8-bit codes: the sum of `even[j]` · level(2j) + `odd[j]` · level(2j + 1),
    /// for levels see [`levels::fine_level`]. Weights are from −4095 to 4095.
    ///
    /// # Panics
    /// If the slices are of different lengths, of no multiple of [`ROW_UNIT`] or longer than [`MAX_ROW_BYTES`].
    #[inline]
    pub fn level_dot(&self, coarse: &[u8], fine: &[u8], even: &[i16], odd: &[i16]) -> i64 {
        checked_planes(coarse, fine, even.len(), odd.len());
        // SAFETY: as in nibble_dots.
        unsafe { (self.level_dot)(coarse, fine, even, odd) }
    }

    /// Sum of absolute differences between weights and 8-bit codes: of |code(2j) − `even[j]`| and
    /// |code(2j + 1) − `odd[j]`|.
    ///
    /// # Panics
    /// As [`level_dot`](Self::level_dot).
    #[inline]
    pub fn byte_sad(&self, coarse: &[u8], fine: &[u8], even: &[u8], odd: &[u8]) -> u32 {
        checked_planes(coarse, fine, even.len(), odd.len());
        // SAFETY: as in nibble_dots.
        unsafe { (self.byte_sad)(coarse, fine, even, odd) }
    }

    /// For each row a bound below its squared Euclidean distance, as a key; see [`bounds`].
    ///
    /// # Panics
    /// If `sums` or one of the slices that are read of `rows` is shorter than `keys`.
    #[inline]
    pub fn l2_keys(&self, sums: &[i32], rows: &RotatedRows<'_>, params: &BoundParams, keys: &mut [i32]) {
        // SAFETY: as in nibble_dots.
        unsafe { (self.loops.l2_keys)(sums, rows, params, keys) }
    }

    /// For each row a bound below its negative inner product, as a key; see [`bounds`].
    ///
    /// # Panics
    /// As [`l2_keys`](Self::l2_keys).
    #[inline]
    pub fn inner_product_keys(
        &self,
        sums: &[i32],
        rows: &RotatedRows<'_>,
        params: &BoundParams,
        keys: &mut [i32],
    ) {
        // SAFETY: as in nibble_dots.
        unsafe { (self.loops.inner_product_keys)(sums, rows, params, keys) }
    }

    /// For each row a bound below its cosine distance, as a key; see [`bounds`].
    ///
    /// # Panics
    /// As [`l2_keys`](Self::l2_keys).
    #[inline]
    pub fn cosine_keys(&self, sums: &[i32], rows: &RotatedRows<'_>, params: &BoundParams, keys: &mut [i32]) {
        // SAFETY: as in nibble_dots.
        unsafe { (self.loops.cosine_keys)(sums, rows, params, keys) }
    }

    /// Appends (key, `first` + index) for each key that is at most `limit`, in order. Fast where few are.
    #[inline]
    pub fn collect_at_most(&self, keys: &[i32], first: u32, limit: i32, out: &mut Vec<(i32, u32)>) {
        // SAFETY: as in nibble_dots.
        unsafe { (self.loops.collect_at_most)(keys, first, limit, out) }
    }
}

/// Fetches the cache line at an address, which is not read and need not be one of the program's, for use now. Does
/// nothing on CPUs other than x86-64.
#[inline(always)]
pub fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching is a hint that cannot fault, whatever the address; every x86-64 CPU has SSE.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// The same, for use later: into the second level of cache, which more can be on its way to than to the first.
#[inline(always)]
pub fn prefetch_for_later(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as above.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Exactly `count` rows, with lengths checked; none if rows are empty.
#[inline]
#[track_caller]
fn checked_rows(rows: &[u8], even: usize, odd: usize, count: usize) -> Option<&[u8]> {
    check_row_bytes(even);
    assert!(odd == even, "weights of {even} low nibbles and {odd} high ones");
    let used = count.checked_mul(even).and_then(|used| rows.get(..used));
    let Some(used) = used else { panic!("{count} rows of {even} bytes in {}", rows.len()) };
    (even > 0).then_some(used)
}

#[inline]
#[track_caller]
fn checked_planes(coarse: &[u8], fine: &[u8], even: usize, odd: usize) {
    check_row_bytes(coarse.len());
    assert!(
        fine.len() == coarse.len() && even == coarse.len() && odd == coarse.len(),
        "rows of {} and {} bytes, weights of {even} low nibbles and {odd} high ones",
        coarse.len(),
        fine.len()
    );
}

#[inline]
#[track_caller]
fn check_row_bytes(row_bytes: usize) {
    assert!(
        row_bytes.is_multiple_of(ROW_UNIT) && row_bytes <= MAX_ROW_BYTES,
        "a row cannot be of {row_bytes} bytes"
    );
}
