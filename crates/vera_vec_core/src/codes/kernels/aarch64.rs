//! Kernels of aarch64.
//!
//! Each function is compiled for the CPU features that it names, and can only be called, or inlined, where they are
//! there. On other architectures they are compiled for their test alone, over intrinsics in Rust.

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::{
    int32x4_t, uint8x16_t, uint32x4_t, vabdq_u8, vaddq_s32, vaddvq_s32, vaddvq_u32, vandq_u8, vdupq_n_s32,
    vdupq_n_u8, vdupq_n_u32, vget_low_s8, vld1q_s8, vld1q_u8, vmlal_high_s8, vmlal_s8, vmull_s8, vorrq_u8,
    vpadalq_s16, vpadalq_u8, vpadalq_u16, vpaddlq_u8, vreinterpretq_s8_u8, vshlq_n_u8, vshrq_n_u8,
    vsliq_n_u8, vsriq_n_u8,
};

#[cfg(not(target_arch = "aarch64"))]
use emulated::*;

#[cfg(target_arch = "aarch64")]
pub(super) static NEON: super::CodeKernels = super::CodeKernels {
    level: super::CodeLevel::Neon,
    nibble_dots,
    nibble_sads,
    level_dot: super::levels::level_dot,
    byte_sad,
    loops: super::portable::loops!("neon"),
};

#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn load(from: &[u8; 16]) -> uint8x16_t {
    // SAFETY: as many bytes are there as are loaded.
    unsafe { vld1q_u8(from.as_ptr()) }
}

/// Products of 16 bytes' nibbles and weights, eight of them in each 32-bit lane, added to what is there.
///
/// In 16 bits four products of at most 15 · 128 in magnitude come together, which is far from too much.
#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn add_nibble_products(sums: int32x4_t, row: &[u8; 16], even: &[i8; 16], odd: &[i8; 16]) -> int32x4_t {
    let row = load(row);
    let low = vreinterpretq_s8_u8(vandq_u8(row, vdupq_n_u8(15)));
    let high = vreinterpretq_s8_u8(vshrq_n_u8::<4>(row));
    // SAFETY: as many bytes are there as are loaded.
    let (even, odd) = unsafe { (vld1q_s8(even.as_ptr()), vld1q_s8(odd.as_ptr())) };
    let products = vmull_s8(vget_low_s8(low), vget_low_s8(even));
    let products = vmlal_high_s8(products, low, even);
    let products = vmlal_s8(products, vget_low_s8(high), vget_low_s8(odd));
    let products = vmlal_high_s8(products, high, odd);
    vpadalq_s16(sums, products)
}

#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn nibble_dots(rows: &[u8], even: &[i8], odd: &[i8], sums: &mut [i32]) {
    let row_bytes = even.len();
    let (even, _) = even.as_chunks::<32>();
    let (odd, _) = odd.as_chunks::<32>();
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        let mut first = vdupq_n_s32(0);
        let mut second = vdupq_n_s32(0);
        for ((row, even), odd) in row.as_chunks::<32>().0.iter().zip(even).zip(odd) {
            if let ([row, row_2], [even, even_2], [odd, odd_2]) =
                (row.as_chunks::<16>().0, even.as_chunks::<16>().0, odd.as_chunks::<16>().0)
            {
                first = add_nibble_products(first, row, even, odd);
                second = add_nibble_products(second, row_2, even_2, odd_2);
            }
        }
        *sum = vaddvq_s32(vaddq_s32(first, second));
    }
}

/// Absolute differences of 2 · 16 bytes, added to what is there.
#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn add_differences(
    sums: uint32x4_t,
    low: uint8x16_t,
    high: uint8x16_t,
    even: &[u8; 16],
    odd: &[u8; 16],
) -> uint32x4_t {
    // Four differences in 16 bits.
    let differences = vpaddlq_u8(vabdq_u8(low, load(even)));
    let differences = vpadalq_u8(differences, vabdq_u8(high, load(odd)));
    vpadalq_u16(sums, differences)
}

#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn nibble_sads(rows: &[u8], even: &[u8], odd: &[u8], sums: &mut [u32]) {
    let row_bytes = even.len();
    let (even, _) = even.as_chunks::<16>();
    let (odd, _) = odd.as_chunks::<16>();
    let (mask, middle) = (vdupq_n_u8(0xf0), vdupq_n_u8(8));
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        let mut total = vdupq_n_u32(0);
        for ((row, even), odd) in row.as_chunks::<16>().0.iter().zip(even).zip(odd) {
            let row = load(row);
            let low = vorrq_u8(vshlq_n_u8::<4>(row), middle);
            let high = vorrq_u8(vandq_u8(row, mask), middle);
            total = add_differences(total, low, high, even, odd);
        }
        *sum = vaddvq_u32(total);
    }
}

/// The codes of 32 dimensions: those of low nibbles and those of high ones.
#[inline]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn codes(coarse: &[u8; 16], fine: &[u8; 16]) -> (uint8x16_t, uint8x16_t) {
    let (coarse, fine) = (load(coarse), load(fine));
    // The low nibble of fine stays, that of coarse is put above it; the high nibble of coarse stays, that of fine is
    // put below it.
    (vsliq_n_u8::<4>(fine, coarse), vsriq_n_u8::<4>(coarse, fine))
}

#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn byte_sad(coarse: &[u8], fine: &[u8], even: &[u8], odd: &[u8]) -> u32 {
    let mut total = vdupq_n_u32(0);
    let planes = coarse.as_chunks::<16>().0.iter().zip(fine.as_chunks::<16>().0);
    let weights = even.as_chunks::<16>().0.iter().zip(odd.as_chunks::<16>().0);
    for ((coarse, fine), (even, odd)) in planes.zip(weights) {
        let (low, high) = codes(coarse, fine);
        total = add_differences(total, low, high, even, odd);
    }
    vaddvq_u32(total)
}

/// What the intrinsics used do, in Rust: as the Arm architecture's manual has it, lane by lane.
#[cfg(not(target_arch = "aarch64"))]
#[allow(non_camel_case_types)]
mod emulated {
    use std::array::from_fn;

    pub(super) type uint8x16_t = [u8; 16];
    pub(super) type int32x4_t = [i32; 4];
    pub(super) type uint32x4_t = [u32; 4];

    pub(super) unsafe fn vld1q_u8(from: *const u8) -> [u8; 16] {
        // SAFETY: the caller's.
        unsafe { from.cast::<[u8; 16]>().read_unaligned() }
    }
    pub(super) unsafe fn vld1q_s8(from: *const i8) -> [i8; 16] {
        // SAFETY: the caller's.
        unsafe { from.cast::<[i8; 16]>().read_unaligned() }
    }
    pub(super) fn vdupq_n_u8(value: u8) -> [u8; 16] {
        [value; 16]
    }
    pub(super) fn vdupq_n_s32(value: i32) -> [i32; 4] {
        [value; 4]
    }
    pub(super) fn vdupq_n_u32(value: u32) -> [u32; 4] {
        [value; 4]
    }
    pub(super) fn vreinterpretq_s8_u8(a: [u8; 16]) -> [i8; 16] {
        a.map(u8::cast_signed)
    }
    pub(super) fn vget_low_s8(a: [i8; 16]) -> [i8; 8] {
        from_fn(|i| a[i])
    }
    pub(super) fn vandq_u8(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
        from_fn(|i| a[i] & b[i])
    }
    pub(super) fn vorrq_u8(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
        from_fn(|i| a[i] | b[i])
    }
    pub(super) fn vshrq_n_u8<const N: i32>(a: [u8; 16]) -> [u8; 16] {
        a.map(|x| x >> N)
    }
    pub(super) fn vshlq_n_u8<const N: i32>(a: [u8; 16]) -> [u8; 16] {
        a.map(|x| x << N)
    }
    /// b shifted left and inserted into a, whose low N bits stay.
    pub(super) fn vsliq_n_u8<const N: i32>(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
        from_fn(|i| b[i] << N | a[i] & !(0xff << N))
    }
    /// b shifted right and inserted into a, whose high N bits stay.
    pub(super) fn vsriq_n_u8<const N: i32>(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
        from_fn(|i| b[i] >> N | a[i] & !(0xff >> N))
    }
    pub(super) fn vmull_s8(a: [i8; 8], b: [i8; 8]) -> [i16; 8] {
        from_fn(|i| i16::from(a[i]) * i16::from(b[i]))
    }
    pub(super) fn vmlal_s8(sum: [i16; 8], a: [i8; 8], b: [i8; 8]) -> [i16; 8] {
        from_fn(|i| sum[i] + i16::from(a[i]) * i16::from(b[i]))
    }
    pub(super) fn vmlal_high_s8(sum: [i16; 8], a: [i8; 16], b: [i8; 16]) -> [i16; 8] {
        from_fn(|i| sum[i] + i16::from(a[i + 8]) * i16::from(b[i + 8]))
    }
    pub(super) fn vabdq_u8(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
        from_fn(|i| a[i].abs_diff(b[i]))
    }
    pub(super) fn vpaddlq_u8(a: [u8; 16]) -> [u16; 8] {
        from_fn(|i| u16::from(a[2 * i]) + u16::from(a[2 * i + 1]))
    }
    pub(super) fn vpadalq_u8(sum: [u16; 8], a: [u8; 16]) -> [u16; 8] {
        from_fn(|i| sum[i] + u16::from(a[2 * i]) + u16::from(a[2 * i + 1]))
    }
    pub(super) fn vpadalq_u16(sum: [u32; 4], a: [u16; 8]) -> [u32; 4] {
        from_fn(|i| sum[i] + u32::from(a[2 * i]) + u32::from(a[2 * i + 1]))
    }
    pub(super) fn vpadalq_s16(sum: [i32; 4], a: [i16; 8]) -> [i32; 4] {
        from_fn(|i| sum[i] + i32::from(a[2 * i]) + i32::from(a[2 * i + 1]))
    }
    pub(super) fn vaddq_s32(a: [i32; 4], b: [i32; 4]) -> [i32; 4] {
        from_fn(|i| a[i] + b[i])
    }
    pub(super) fn vaddvq_s32(a: [i32; 4]) -> i32 {
        a.iter().sum()
    }
    pub(super) fn vaddvq_u32(a: [u32; 4]) -> u32 {
        a.iter().sum()
    }
}

#[cfg(all(test, not(target_arch = "aarch64")))]
mod tests {

    use super::super::{CodeKernels, CodeLevel};

    fn bytes(seed: u32, count: usize) -> Vec<u8> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..count).map(next).collect()
    }

    /// The emulation checks for overflow in debug builds, as instructions do not.
    #[test]
    fn kernels_over_emulated_intrinsics_are_the_portable_ones() {
        let portable = CodeKernels::for_level(CodeLevel::Portable).expect("every CPU has it");
        for row_bytes in (32..=512).step_by(32).chain([1024, 1056, 4000, 8000]) {
            for (coarse, fine, even, odd) in [
                (bytes(1, 3 * row_bytes), bytes(2, row_bytes), bytes(3, row_bytes), bytes(4, row_bytes)),
                (
                    vec![0xff; 3 * row_bytes],
                    vec![0xff; row_bytes],
                    vec![0x80; row_bytes],
                    vec![0x80; row_bytes],
                ),
                (
                    vec![0xff; 3 * row_bytes],
                    vec![0xff; row_bytes],
                    vec![0x7f; row_bytes],
                    vec![0x7f; row_bytes],
                ),
                (vec![0; 3 * row_bytes], vec![0xf0; row_bytes], vec![0xff; row_bytes], vec![0; row_bytes]),
            ] {
                let signed = |weights: &[u8]| weights.iter().map(|&w| w.cast_signed()).collect::<Vec<_>>();
                let (even_i8, odd_i8) = (signed(&even), signed(&odd));
                let (mut sums, mut expected) = ([1; 3], [2; 3]);
                super::nibble_dots(&coarse, &even_i8, &odd_i8, &mut sums);
                portable.nibble_dots(&coarse, &even_i8, &odd_i8, &mut expected);
                assert_eq!(sums, expected);

                let (mut sums, mut expected) = ([1; 3], [2; 3]);
                super::nibble_sads(&coarse, &even, &odd, &mut sums);
                portable.nibble_sads(&coarse, &even, &odd, &mut expected);
                assert_eq!(sums, expected);

                let coarse = &coarse[..row_bytes];
                assert_eq!(
                    super::byte_sad(coarse, &fine, &even, &odd),
                    portable.byte_sad(coarse, &fine, &even, &odd)
                );
            }
        }
    }
}
