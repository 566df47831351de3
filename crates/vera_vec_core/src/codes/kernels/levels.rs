//! The levels that codes stand for, and inner products with them.

/// How much wider than the others the outermost coarse cells, 0 and 15, are for the fine code.
///
/// What the coarse code clips is a few components in a hundred; if the fine code did so too, they would be most of
/// its error.
pub const OUTER: i16 = 7;

/// The level of an 8-bit code, which is from 0 to 255: 2k − 255; further apart in the outermost coarse cells.
#[inline(always)]
pub const fn fine_level(code: i16) -> i16 {
    let plain = 2 * code - 255;
    // The first step into an outermost cell, from its inner edge at ±224, is OUTER; others are twice that.
    if code >= 240 {
        224 + OUTER + 2 * OUTER * (code - 240)
    } else if code < 16 {
        -(224 + OUTER + 2 * OUTER * (15 - code))
    } else {
        plain
    }
}

/// Bytes of a row whose products are added up in 32 bits before the sum moves on to 64: 1,024 products of at most
/// 441 · 4,095 in each of two sums, spread evenly over 8 lanes or more.
pub(super) const LEVEL_DOT_BLOCK: usize = 1024;

/// Inner product of weights and levels; what other kernels compute faster.
pub(super) fn level_dot(coarse: &[u8], fine: &[u8], even: &[i16], odd: &[i16]) -> i64 {
    const LANES: usize = 16;

    let mut total = 0;
    let planes = coarse.chunks(LEVEL_DOT_BLOCK).zip(fine.chunks(LEVEL_DOT_BLOCK));
    let weights = even.chunks(LEVEL_DOT_BLOCK).zip(odd.chunks(LEVEL_DOT_BLOCK));
    for ((coarse, fine), (even, odd)) in planes.zip(weights) {
        let mut sums = [0i32; LANES];
        let planes = coarse.as_chunks::<LANES>().0.iter().zip(fine.as_chunks::<LANES>().0);
        let weights = even.as_chunks::<LANES>().0.iter().zip(odd.as_chunks::<LANES>().0);
        for ((coarse, fine), (even, odd)) in planes.zip(weights) {
            for i in 0..LANES {
                let (coarse, fine) = (i16::from(coarse[i]), i16::from(fine[i]));
                let low = fine_level((coarse & 15) << 4 | fine & 15);
                let high = fine_level(coarse & 0xf0 | fine >> 4);
                sums[i] += i32::from(even[i]) * i32::from(low) + i32::from(odd[i]) * i32::from(high);
            }
        }
        total += sums.map(i64::from).iter().sum::<i64>();
    }
    total
}
