//! Kernels of x86-64.
//!
//! Each function is compiled for the CPU features that it names and can only be called, or inlined, where they are
//! there: from others that name them, or through the tables.
//!
//! There is no shift within bytes, so nibbles are shifted within 16 bits, and what comes in from the byte beside is
//! masked away.

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_add_epi32, _mm_add_epi64, _mm_cvtsi128_si32, _mm_cvtsi128_si64,
    _mm_loadu_si128, _mm_shuffle_epi32, _mm_storeu_si128, _mm_unpackhi_epi64, _mm256_add_epi16,
    _mm256_add_epi32, _mm256_add_epi64, _mm256_and_si256, _mm256_castsi256_si128, _mm256_cmpgt_epi16,
    _mm256_cvtepi32_epi64, _mm256_cvtepu8_epi16, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mullo_epi16, _mm256_or_si256, _mm256_sad_epu8,
    _mm256_set1_epi8, _mm256_set1_epi16, _mm256_setzero_si256, _mm256_slli_epi16, _mm256_srli_epi16,
    _mm256_sub_epi16, _mm512_add_epi16, _mm512_add_epi32, _mm512_add_epi64, _mm512_and_si512,
    _mm512_castsi512_si256, _mm512_cmpgt_epi16_mask, _mm512_cvtepi32_epi64, _mm512_cvtepu8_epi16,
    _mm512_dpbusd_epi32, _mm512_extracti64x4_epi64, _mm512_loadu_si512, _mm512_madd_epi16,
    _mm512_maddubs_epi16, _mm512_mask_add_epi16, _mm512_mullo_epi16, _mm512_or_si512, _mm512_sad_epu8,
    _mm512_set1_epi8, _mm512_set1_epi16, _mm512_setzero_si512, _mm512_slli_epi16, _mm512_srai_epi32,
    _mm512_srli_epi16, _mm512_sub_epi16, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64, _mm512_zextsi256_si512,
};

use super::levels::{LEVEL_DOT_BLOCK, OUTER, fine_level};
use super::portable::loops;
use super::{CodeKernels, CodeLevel};

pub(super) static AVX2: CodeKernels = CodeKernels {
    level: CodeLevel::Avx2,
    nibble_dots: nibble_dots_avx2,
    nibble_sads: nibble_sads_avx2,
    level_dot: level_dot_avx2,
    byte_sad: byte_sad_avx2,
    loops: loops!("avx2"),
};

pub(super) static AVX512: CodeKernels = CodeKernels {
    level: CodeLevel::Avx512,
    nibble_dots: nibble_dots_avx512,
    nibble_sads: nibble_sads_avx512,
    level_dot: level_dot_avx512,
    byte_sad: byte_sad_avx512,
    loops: loops!("avx512f,avx512bw"),
};

pub(super) static AVX512_VNNI: CodeKernels = CodeKernels {
    level: CodeLevel::Avx512Vnni,
    nibble_dots: nibble_dots_vnni,
    nibble_sads: nibble_sads_avx512,
    level_dot: level_dot_avx512,
    byte_sad: byte_sad_avx512,
    loops: loops!("avx512f,avx512bw"),
};

/// Whether the CPU has what the AVX-512 kernels are compiled for; AVX2 too, whose kernels they call.
pub(super) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx2")
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_128(from: &[u8; 16]) -> __m128i {
    // SAFETY: as many bytes are there as are loaded.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_256<T: Weight, const N: usize>(from: &[T; N]) -> __m256i {
    const { assert!(size_of::<[T; N]>() == 32) }
    // SAFETY: as many bytes are there as are loaded, and integers are made of nothing but initialised bytes.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_512<T: Weight, const N: usize>(from: &[T; N]) -> __m512i {
    const { assert!(size_of::<[T; N]>() == 64) }
    // SAFETY: as in load_256.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

/// The integers that are loaded.
trait Weight {}
impl Weight for u8 {}
impl Weight for i8 {}
impl Weight for i16 {}

#[inline]
#[target_feature(enable = "avx2")]
fn store_128(to: &mut [i32; 4], lanes: __m128i) {
    // SAFETY: there is room for as many bytes as are stored.
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), lanes) }
}

/// Sum of 32-bit lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn sum_epi32(lanes: __m256i) -> i32 {
    let four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
    let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
}

/// Sum of 64-bit lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn sum_epi64(lanes: __m256i) -> i64 {
    let two = _mm_add_epi64(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
    _mm_cvtsi128_si64(_mm_add_epi64(two, _mm_unpackhi_epi64(two, two)))
}

/// The lower half of a register and the upper one.
#[inline]
#[target_feature(enable = "avx512f")]
fn halves(lanes: __m512i) -> (__m256i, __m256i) {
    (_mm512_castsi512_si256(lanes), _mm512_extracti64x4_epi64::<1>(lanes))
}

/// The sums of the lanes of each of four registers.
#[inline]
#[target_feature(enable = "avx512f")]
fn sums_epi32([a, b, c, d]: [__m512i; 4]) -> __m128i {
    // In each 128 bits: a, b, a, b, and c, d, c, d; then a, b, c, d.
    let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    let (low, high) = halves(_mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd)));
    let two = _mm256_add_epi32(low, high);
    _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256::<1>(two))
}

/// Products of 32 bytes' nibbles and weights, four of them in each 16-bit lane: at most 4 · 15 · 128 = 7,680 in
/// magnitude, so that up to four such sums can be added.
#[inline]
#[target_feature(enable = "avx2")]
fn nibble_products_256(row: &[u8; 32], even: &[i8; 32], odd: &[i8; 32]) -> __m256i {
    let row = load_256(row);
    let mask = _mm256_set1_epi8(15);
    let low = _mm256_and_si256(row, mask);
    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(row), mask);
    _mm256_add_epi16(_mm256_maddubs_epi16(low, load_256(even)), _mm256_maddubs_epi16(high, load_256(odd)))
}

/// As [`nibble_products_256`], of 64 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn nibble_products_512(row: &[u8; 64], even: &[i8; 64], odd: &[i8; 64]) -> __m512i {
    let (low, high) = nibbles_512(load_512(row));
    _mm512_add_epi16(_mm512_maddubs_epi16(low, load_512(even)), _mm512_maddubs_epi16(high, load_512(odd)))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn low_nibbles_512(row: __m512i) -> __m512i {
    _mm512_and_si512(row, _mm512_set1_epi8(15))
}

/// Times 16, where they are.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn high_nibbles_512(row: __m512i) -> __m512i {
    _mm512_and_si512(row, _mm512_set1_epi8(0xf0_u8.cast_signed()))
}

/// The sum of what low nibbles gave, and what high nibbles gave times 16: at most 16 · 15 · 128 · 8,000, which fits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn nibble_total_512(low_total: __m512i, high_total: __m512i) -> __m512i {
    _mm512_add_epi32(low_total, _mm512_srai_epi32::<4>(high_total))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn nibbles_512(row: __m512i) -> (__m512i, __m512i) {
    let mask = _mm512_set1_epi8(15);
    (_mm512_and_si512(row, mask), _mm512_and_si512(_mm512_srli_epi16::<4>(row), mask))
}

#[target_feature(enable = "avx2")]
fn nibble_dots_avx2(rows: &[u8], even: &[i8], odd: &[i8], sums: &mut [i32]) {
    let row_bytes = even.len();
    let ones = _mm256_set1_epi16(1);
    let (even, even_rest) = even.as_chunks::<64>();
    let (odd, odd_rest) = odd.as_chunks::<64>();
    let (even_rest, odd_rest) = (even_rest.as_chunks::<32>().0, odd_rest.as_chunks::<32>().0);
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        let (row, rest) = row.as_chunks::<64>();
        let mut total = _mm256_setzero_si256();
        for ((row, even), odd) in row.iter().zip(even).zip(odd) {
            let (row, even, odd) =
                (row.as_chunks::<32>().0, even.as_chunks::<32>().0, odd.as_chunks::<32>().0);
            let mut products = _mm256_setzero_si256();
            for ((row, even), odd) in row.iter().zip(even).zip(odd) {
                products = _mm256_add_epi16(products, nibble_products_256(row, even, odd));
            }
            total = _mm256_add_epi32(total, _mm256_madd_epi16(products, ones));
        }
        // Half of that, if the row is of an odd number of units.
        if let ([row], [even], [odd]) = (rest.as_chunks::<32>().0, even_rest, odd_rest) {
            let products = nibble_products_256(row, even, odd);
            total = _mm256_add_epi32(total, _mm256_madd_epi16(products, ones));
        }
        *sum = sum_epi32(total);
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn nibble_dots_avx512(rows: &[u8], even: &[i8], odd: &[i8], sums: &mut [i32]) {
    let row_bytes = even.len();
    let ones = _mm512_set1_epi16(1);
    let (even, even_rest) = even.as_chunks::<64>();
    let (odd, odd_rest) = odd.as_chunks::<64>();
    let (even_rest, odd_rest) = (even_rest.as_chunks::<32>().0, odd_rest.as_chunks::<32>().0);
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        let (row, rest) = row.as_chunks::<64>();
        let mut total = _mm512_setzero_si512();
        for ((row, even), odd) in row.iter().zip(even).zip(odd) {
            let products = nibble_products_512(row, even, odd);
            total = _mm512_add_epi32(total, _mm512_madd_epi16(products, ones));
        }
        // Half a register, if the row is of an odd number of units.
        if let ([row], [even], [odd]) = (rest.as_chunks::<32>().0, even_rest, odd_rest) {
            let products = _mm512_zextsi256_si512(nibble_products_256(row, even, odd));
            total = _mm512_add_epi32(total, _mm512_madd_epi16(products, ones));
        }
        let (low, high) = halves(total);
        *sum = sum_epi32(_mm256_add_epi32(low, high));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn nibble_dots_vnni(rows: &[u8], even: &[i8], odd: &[i8], sums: &mut [i32]) {
    let (even_units, even_rest) = even.as_chunks::<64>();
    let (odd_units, _) = odd.as_chunks::<64>();
    macro_rules! by_units {
        ($($units:literal)*) => {
            match (even_units.len(), even_rest.is_empty()) {
                $(($units, true) => {
                    nibble_dots_vnni_units::<$units>(rows, even_units, odd_units, sums);
                })*
                _ => nibble_dots_vnni_any(rows, even, odd, sums),
            }
        };
    }
    by_units!(1 2 3 4 5 6 7 8);
}

/// Rows of `UNITS` times 64 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn nibble_dots_vnni_units<const UNITS: usize>(
    rows: &[u8],
    even: &[[i8; 64]],
    odd: &[[i8; 64]],
    sums: &mut [i32],
) {
    let mut weights = [(_mm512_setzero_si512(), _mm512_setzero_si512()); UNITS];
    for ((weights, even), odd) in weights.iter_mut().zip(even).zip(odd) {
        *weights = (load_512(even), load_512(odd));
    }
    let (rows, _) = rows.as_chunks::<64>();
    let (sums, rest) = sums.as_chunks_mut::<4>();
    let (fours, ones) = rows.split_at(sums.len() * 4 * UNITS);
    for (four, sums) in fours.chunks_exact(4 * UNITS).zip(sums) {
        let mut totals = [_mm512_setzero_si512(); 4];
        for (row, total) in four.chunks_exact(UNITS).zip(&mut totals) {
            *total = nibble_dot_vnni(row, &weights);
        }
        store_128(sums, sums_epi32(totals));
    }
    for (row, sum) in ones.chunks_exact(UNITS).zip(rest) {
        let (low, high) = halves(nibble_dot_vnni(row, &weights));
        *sum = sum_epi32(_mm256_add_epi32(low, high));
    }
}

/// The inner product of a row, in parts.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn nibble_dot_vnni<const UNITS: usize>(row: &[[u8; 64]], weights: &[(__m512i, __m512i); UNITS]) -> __m512i {
    // The instruction adds to what it got four cycles before: one chain for each array of weights.
    let mut low_total = _mm512_setzero_si512();
    let mut high_total = _mm512_setzero_si512();
    for (row, &(even, odd)) in row.iter().zip(weights) {
        let row = load_512(row);
        low_total = _mm512_dpbusd_epi32(low_total, low_nibbles_512(row), even);
        high_total = _mm512_dpbusd_epi32(high_total, high_nibbles_512(row), odd);
    }
    nibble_total_512(low_total, high_total)
}

/// Rows of any length.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn nibble_dots_vnni_any(rows: &[u8], even: &[i8], odd: &[i8], sums: &mut [i32]) {
    let row_bytes = even.len();
    let (even, even_rest) = even.as_chunks::<64>();
    let (odd, odd_rest) = odd.as_chunks::<64>();
    let (even_rest, odd_rest) = (even_rest.as_chunks::<32>().0, odd_rest.as_chunks::<32>().0);
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        let (row, rest) = row.as_chunks::<64>();
        let mut low_total = _mm512_setzero_si512();
        let mut high_total = _mm512_setzero_si512();
        for ((row, even), odd) in row.iter().zip(even).zip(odd) {
            let row = load_512(row);
            low_total = _mm512_dpbusd_epi32(low_total, low_nibbles_512(row), load_512(even));
            high_total = _mm512_dpbusd_epi32(high_total, high_nibbles_512(row), load_512(odd));
        }
        // Half a register, if the row is of an odd number of units.
        if let ([row], [even], [odd]) = (rest.as_chunks::<32>().0, even_rest, odd_rest) {
            let row = _mm512_zextsi256_si512(load_256(row));
            let (even, odd) = (_mm512_zextsi256_si512(load_256(even)), _mm512_zextsi256_si512(load_256(odd)));
            low_total = _mm512_dpbusd_epi32(low_total, low_nibbles_512(row), even);
            high_total = _mm512_dpbusd_epi32(high_total, high_nibbles_512(row), odd);
        }
        let (low, high) = halves(nibble_total_512(low_total, high_total));
        *sum = sum_epi32(_mm256_add_epi32(low, high));
    }
}

/// Absolute differences between 32 bytes' nibbles and weights, added up in 64-bit lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn nibble_differences_256(row: &[u8; 32], even: &[u8; 32], odd: &[u8; 32]) -> __m256i {
    let row = load_256(row);
    let (mask, middle) = (_mm256_set1_epi8(0xf0_u8.cast_signed()), _mm256_set1_epi8(8));
    let low = _mm256_or_si256(_mm256_and_si256(_mm256_slli_epi16::<4>(row), mask), middle);
    let high = _mm256_or_si256(_mm256_and_si256(row, mask), middle);
    _mm256_add_epi64(_mm256_sad_epu8(low, load_256(even)), _mm256_sad_epu8(high, load_256(odd)))
}

/// As [`nibble_differences_256`], of 64 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn nibble_differences_512(row: &[u8; 64], even: &[u8; 64], odd: &[u8; 64]) -> __m512i {
    let row = load_512(row);
    let (mask, middle) = (_mm512_set1_epi8(0xf0_u8.cast_signed()), _mm512_set1_epi8(8));
    let low = _mm512_or_si512(_mm512_and_si512(_mm512_slli_epi16::<4>(row), mask), middle);
    let high = _mm512_or_si512(_mm512_and_si512(row, mask), middle);
    _mm512_add_epi64(_mm512_sad_epu8(low, load_512(even)), _mm512_sad_epu8(high, load_512(odd)))
}

#[target_feature(enable = "avx2")]
fn nibble_sads_avx2(rows: &[u8], even: &[u8], odd: &[u8], sums: &mut [u32]) {
    let row_bytes = even.len();
    let (even, even_rest) = even.as_chunks::<64>();
    let (odd, odd_rest) = odd.as_chunks::<64>();
    let (even_rest, odd_rest) = (even_rest.as_chunks::<32>().0, odd_rest.as_chunks::<32>().0);
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        let (row, rest) = row.as_chunks::<64>();
        let mut total = _mm256_setzero_si256();
        for ((row, even), odd) in row.iter().zip(even).zip(odd) {
            let (row, even, odd) =
                (row.as_chunks::<32>().0, even.as_chunks::<32>().0, odd.as_chunks::<32>().0);
            for ((row, even), odd) in row.iter().zip(even).zip(odd) {
                total = _mm256_add_epi64(total, nibble_differences_256(row, even, odd));
            }
        }
        if let ([row], [even], [odd]) = (rest.as_chunks::<32>().0, even_rest, odd_rest) {
            total = _mm256_add_epi64(total, nibble_differences_256(row, even, odd));
        }
        *sum = sum_of_differences(total);
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn nibble_sads_avx512(rows: &[u8], even: &[u8], odd: &[u8], sums: &mut [u32]) {
    let row_bytes = even.len();
    let (even, even_rest) = even.as_chunks::<64>();
    let (odd, odd_rest) = odd.as_chunks::<64>();
    let (even_rest, odd_rest) = (even_rest.as_chunks::<32>().0, odd_rest.as_chunks::<32>().0);
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        let (row, rest) = row.as_chunks::<64>();
        let mut total = _mm512_setzero_si512();
        for ((row, even), odd) in row.iter().zip(even).zip(odd) {
            total = _mm512_add_epi64(total, nibble_differences_512(row, even, odd));
        }
        if let ([row], [even], [odd]) = (rest.as_chunks::<32>().0, even_rest, odd_rest) {
            let half = _mm512_zextsi256_si512(nibble_differences_256(row, even, odd));
            total = _mm512_add_epi64(total, half);
        }
        let (low, high) = halves(total);
        *sum = sum_of_differences(_mm256_add_epi64(low, high));
    }
}

/// Sum of 64-bit lanes, of a row's absolute differences.
#[inline]
#[target_feature(enable = "avx2")]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 2 · MAX_ROW_BYTES · 255
fn sum_of_differences(lanes: __m256i) -> u32 {
    sum_epi64(lanes) as u32
}

/// The levels of codes in 16-bit lanes; see [`fine_level`](super::levels::fine_level).
#[inline]
#[target_feature(enable = "avx2")]
fn levels_256(codes: __m256i) -> __m256i {
    let twice = _mm256_slli_epi16::<1>(codes);
    let plain = _mm256_sub_epi16(twice, _mm256_set1_epi16(255));
    // In the outermost cells 2k − 255 becomes 14k − 3129 and 14k − 441.
    let wider = _mm256_mullo_epi16(codes, _mm256_set1_epi16(2 * OUTER - 2));
    let high = _mm256_cmpgt_epi16(codes, _mm256_set1_epi16(239));
    let low = _mm256_cmpgt_epi16(_mm256_set1_epi16(16), codes);
    let more_high = _mm256_and_si256(high, _mm256_add_epi16(wider, _mm256_set1_epi16(OUTER_HIGH)));
    let more_low = _mm256_and_si256(low, _mm256_add_epi16(wider, _mm256_set1_epi16(OUTER_LOW)));
    _mm256_add_epi16(plain, _mm256_or_si256(more_high, more_low))
}

/// The same for 512 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn levels_512(codes: __m512i) -> __m512i {
    let plain = _mm512_sub_epi16(_mm512_slli_epi16::<1>(codes), _mm512_set1_epi16(255));
    let wider = _mm512_mullo_epi16(codes, _mm512_set1_epi16(2 * OUTER - 2));
    let high = _mm512_cmpgt_epi16_mask(codes, _mm512_set1_epi16(239));
    let low = _mm512_cmpgt_epi16_mask(_mm512_set1_epi16(16), codes);
    let more_high = _mm512_add_epi16(wider, _mm512_set1_epi16(OUTER_HIGH));
    let more_low = _mm512_add_epi16(wider, _mm512_set1_epi16(OUTER_LOW));
    let levels = _mm512_mask_add_epi16(plain, high, plain, more_high);
    _mm512_mask_add_epi16(levels, low, plain, more_low)
}

/// What the outermost levels have beside 2k − 255 + (2·OUTER − 2)·k.
const OUTER_HIGH: i16 = fine_level(240) - (2 * 240 - 255) - (2 * OUTER - 2) * 240;
const OUTER_LOW: i16 = fine_level(0) + 255;

#[target_feature(enable = "avx2")]
fn level_dot_avx2(coarse: &[u8], fine: &[u8], even: &[i16], odd: &[i16]) -> i64 {
    let low_nibble = _mm256_set1_epi16(0x0f);
    let high_nibble = _mm256_set1_epi16(0xf0);
    let mut total = _mm256_setzero_si256();
    let planes = coarse.chunks(LEVEL_DOT_BLOCK).zip(fine.chunks(LEVEL_DOT_BLOCK));
    let weights = even.chunks(LEVEL_DOT_BLOCK).zip(odd.chunks(LEVEL_DOT_BLOCK));
    for ((coarse, fine), (even, odd)) in planes.zip(weights) {
        let mut low_sums = _mm256_setzero_si256();
        let mut high_sums = _mm256_setzero_si256();
        let planes = coarse.as_chunks::<16>().0.iter().zip(fine.as_chunks::<16>().0);
        let weights = even.as_chunks::<16>().0.iter().zip(odd.as_chunks::<16>().0);
        for ((coarse, fine), (even, odd)) in planes.zip(weights) {
            let coarse = _mm256_cvtepu8_epi16(load_128(coarse));
            let fine = _mm256_cvtepu8_epi16(load_128(fine));
            let low = _mm256_or_si256(
                _mm256_and_si256(_mm256_slli_epi16::<4>(coarse), high_nibble),
                _mm256_and_si256(fine, low_nibble),
            );
            let high = _mm256_or_si256(_mm256_and_si256(coarse, high_nibble), _mm256_srli_epi16::<4>(fine));
            low_sums = _mm256_add_epi32(low_sums, _mm256_madd_epi16(levels_256(low), load_256(even)));
            high_sums = _mm256_add_epi32(high_sums, _mm256_madd_epi16(levels_256(high), load_256(odd)));
        }
        // 8 lanes, as LEVEL_DOT_BLOCK asks for.
        for sums in [low_sums, high_sums] {
            total = _mm256_add_epi64(total, _mm256_cvtepi32_epi64(_mm256_castsi256_si128(sums)));
            total = _mm256_add_epi64(total, _mm256_cvtepi32_epi64(_mm256_extracti128_si256::<1>(sums)));
        }
    }
    sum_epi64(total)
}

#[target_feature(enable = "avx512f,avx512bw")]
fn level_dot_avx512(coarse: &[u8], fine: &[u8], even: &[i16], odd: &[i16]) -> i64 {
    let low_nibble = _mm512_set1_epi16(0x0f);
    let high_nibble = _mm512_set1_epi16(0xf0);
    let mut total = _mm512_setzero_si512();
    let planes = coarse.chunks(LEVEL_DOT_BLOCK).zip(fine.chunks(LEVEL_DOT_BLOCK));
    let weights = even.chunks(LEVEL_DOT_BLOCK).zip(odd.chunks(LEVEL_DOT_BLOCK));
    for ((coarse, fine), (even, odd)) in planes.zip(weights) {
        let mut low_sums = _mm512_setzero_si512();
        let mut high_sums = _mm512_setzero_si512();
        let planes = coarse.as_chunks::<32>().0.iter().zip(fine.as_chunks::<32>().0);
        let weights = even.as_chunks::<32>().0.iter().zip(odd.as_chunks::<32>().0);
        for ((coarse, fine), (even, odd)) in planes.zip(weights) {
            let coarse = _mm512_cvtepu8_epi16(load_256(coarse));
            let fine = _mm512_cvtepu8_epi16(load_256(fine));
            let low = _mm512_or_si512(
                _mm512_and_si512(_mm512_slli_epi16::<4>(coarse), high_nibble),
                _mm512_and_si512(fine, low_nibble),
            );
            let high = _mm512_or_si512(_mm512_and_si512(coarse, high_nibble), _mm512_srli_epi16::<4>(fine));
            low_sums = _mm512_add_epi32(low_sums, _mm512_madd_epi16(levels_512(low), load_512(even)));
            high_sums = _mm512_add_epi32(high_sums, _mm512_madd_epi16(levels_512(high), load_512(odd)));
        }
        // 16 lanes, more than LEVEL_DOT_BLOCK asks for.
        for sums in [low_sums, high_sums] {
            let (low, high) = halves(sums);
            total = _mm512_add_epi64(total, _mm512_cvtepi32_epi64(low));
            total = _mm512_add_epi64(total, _mm512_cvtepi32_epi64(high));
        }
    }
    let (low, high) = halves(total);
    sum_epi64(_mm256_add_epi64(low, high))
}

/// Absolute differences between 32 bytes' codes and weights, added up in 64-bit lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn byte_differences_256(coarse: &[u8; 32], fine: &[u8; 32], even: &[u8; 32], odd: &[u8; 32]) -> __m256i {
    let (coarse, fine) = (load_256(coarse), load_256(fine));
    let (low_nibble, high_nibble) = (_mm256_set1_epi8(0x0f), _mm256_set1_epi8(0xf0_u8.cast_signed()));
    let low = _mm256_or_si256(
        _mm256_and_si256(_mm256_slli_epi16::<4>(coarse), high_nibble),
        _mm256_and_si256(fine, low_nibble),
    );
    let high = _mm256_or_si256(
        _mm256_and_si256(coarse, high_nibble),
        _mm256_and_si256(_mm256_srli_epi16::<4>(fine), low_nibble),
    );
    _mm256_add_epi64(_mm256_sad_epu8(low, load_256(even)), _mm256_sad_epu8(high, load_256(odd)))
}

/// As [`byte_differences_256`], of 64 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn byte_differences_512(coarse: &[u8; 64], fine: &[u8; 64], even: &[u8; 64], odd: &[u8; 64]) -> __m512i {
    let (coarse, fine) = (load_512(coarse), load_512(fine));
    let (low_nibble, high_nibble) = (_mm512_set1_epi8(0x0f), _mm512_set1_epi8(0xf0_u8.cast_signed()));
    let low = _mm512_or_si512(
        _mm512_and_si512(_mm512_slli_epi16::<4>(coarse), high_nibble),
        _mm512_and_si512(fine, low_nibble),
    );
    let high = _mm512_or_si512(
        _mm512_and_si512(coarse, high_nibble),
        _mm512_and_si512(_mm512_srli_epi16::<4>(fine), low_nibble),
    );
    _mm512_add_epi64(_mm512_sad_epu8(low, load_512(even)), _mm512_sad_epu8(high, load_512(odd)))
}

#[target_feature(enable = "avx2")]
fn byte_sad_avx2(coarse: &[u8], fine: &[u8], even: &[u8], odd: &[u8]) -> u32 {
    let mut total = _mm256_setzero_si256();
    let planes = coarse.as_chunks::<32>().0.iter().zip(fine.as_chunks::<32>().0);
    let weights = even.as_chunks::<32>().0.iter().zip(odd.as_chunks::<32>().0);
    for ((coarse, fine), (even, odd)) in planes.zip(weights) {
        total = _mm256_add_epi64(total, byte_differences_256(coarse, fine, even, odd));
    }
    sum_of_differences(total)
}

#[target_feature(enable = "avx512f,avx512bw")]
fn byte_sad_avx512(coarse: &[u8], fine: &[u8], even: &[u8], odd: &[u8]) -> u32 {
    let mut total = _mm512_setzero_si512();
    let (coarse, coarse_rest) = coarse.as_chunks::<64>();
    let (fine, fine_rest) = fine.as_chunks::<64>();
    let (even, even_rest) = even.as_chunks::<64>();
    let (odd, odd_rest) = odd.as_chunks::<64>();
    for ((coarse, fine), (even, odd)) in coarse.iter().zip(fine).zip(even.iter().zip(odd)) {
        total = _mm512_add_epi64(total, byte_differences_512(coarse, fine, even, odd));
    }
    if let ([coarse], [fine], [even], [odd]) = (
        coarse_rest.as_chunks::<32>().0,
        fine_rest.as_chunks::<32>().0,
        even_rest.as_chunks::<32>().0,
        odd_rest.as_chunks::<32>().0,
    ) {
        let half = _mm512_zextsi256_si512(byte_differences_256(coarse, fine, even, odd));
        total = _mm512_add_epi64(total, half);
    }
    let (low, high) = halves(total);
    sum_of_differences(_mm256_add_epi64(low, high))
}
