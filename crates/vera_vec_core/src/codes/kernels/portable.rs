//! Kernels without instructions of their own, which the compiler makes vector instructions of: those of the portable
//! level; and for every level, bounds and the filter of keys.

use super::bounds::{BoundParams, RotatedRows};
use super::levels::level_dot;
use super::{CodeKernels, CodeLevel};

/// Keys that are compared before any of them is looked at.
const BLOCK: u32 = 64;

pub(super) type Keys = unsafe fn(&[i32], &RotatedRows<'_>, &BoundParams, &mut [i32]);
pub(super) type CollectAtMost = unsafe fn(&[i32], u32, i32, &mut Vec<(i32, u32)>);

/// The kernels that are written once and compiled for each level.
#[derive(Debug)]
pub(super) struct Loops {
    pub(super) l2_keys: Keys,
    pub(super) inner_product_keys: Keys,
    pub(super) cosine_keys: Keys,
    pub(super) collect_at_most: CollectAtMost,
}

/// Makes the [`Loops`] that are compiled for the CPU features named.
macro_rules! loops {
    ($($features:literal)?) => {{
        use $crate::codes::kernels::bounds::{self, BoundParams, RotatedRows};
        use $crate::codes::kernels::portable;
        $(#[target_feature(enable = $features)])?
        fn l2_keys(sums: &[i32], rows: &RotatedRows<'_>, params: &BoundParams, keys: &mut [i32]) {
            bounds::keys::<bounds::L2>(sums, rows, params, keys);
        }
        $(#[target_feature(enable = $features)])?
        fn inner_product_keys(sums: &[i32], rows: &RotatedRows<'_>, params: &BoundParams, keys: &mut [i32]) {
            bounds::keys::<bounds::InnerProduct>(sums, rows, params, keys);
        }
        $(#[target_feature(enable = $features)])?
        fn cosine_keys(sums: &[i32], rows: &RotatedRows<'_>, params: &BoundParams, keys: &mut [i32]) {
            bounds::keys::<bounds::Cosine>(sums, rows, params, keys);
        }
        $(#[target_feature(enable = $features)])?
        fn collect_at_most(keys: &[i32], first: u32, limit: i32, out: &mut Vec<(i32, u32)>) {
            portable::collect_at_most(keys, first, limit, out);
        }
        portable::Loops { l2_keys, inner_product_keys, cosine_keys, collect_at_most }
    }};
}
pub(super) use loops;

pub(super) static PORTABLE: CodeKernels = CodeKernels {
    level: CodeLevel::Portable,
    nibble_dots,
    nibble_sads,
    level_dot,
    byte_sad,
    loops: loops!(),
};

fn nibble_dots(rows: &[u8], even: &[i8], odd: &[i8], sums: &mut [i32]) {
    let row_bytes = even.len();
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        *sum = 0;
        for ((&byte, &even), &odd) in row.iter().zip(even).zip(odd) {
            // Two products of less than 2¹¹ in magnitude.
            let products = i16::from(even) * i16::from(byte & 15) + i16::from(odd) * i16::from(byte >> 4);
            *sum += i32::from(products);
        }
    }
}

fn nibble_sads(rows: &[u8], even: &[u8], odd: &[u8], sums: &mut [u32]) {
    let row_bytes = even.len();
    for (row, sum) in rows.chunks_exact(row_bytes).zip(sums) {
        *sum = 0;
        for ((&byte, &even), &odd) in row.iter().zip(even).zip(odd) {
            *sum += u32::from((byte << 4 | 8).abs_diff(even)) + u32::from((byte & 0xf0 | 8).abs_diff(odd));
        }
    }
}

fn byte_sad(coarse: &[u8], fine: &[u8], even: &[u8], odd: &[u8]) -> u32 {
    let mut sum = 0;
    for ((&coarse, &fine), (&even, &odd)) in coarse.iter().zip(fine).zip(even.iter().zip(odd)) {
        let (low, high) = codes(coarse, fine);
        sum += u32::from(low.abs_diff(even)) + u32::from(high.abs_diff(odd));
    }
    sum
}

/// The codes of two dimensions, from a byte of each plane.
#[inline(always)]
fn codes(coarse: u8, fine: u8) -> (u8, u8) {
    (coarse << 4 | fine & 15, coarse & 0xf0 | fine >> 4)
}

/// Compiled into its callers, which are compiled for a level's CPU features.
#[inline(always)]
pub(super) fn collect_at_most(keys: &[i32], first: u32, limit: i32, out: &mut Vec<(i32, u32)>) {
    let (blocks, rest) = keys.as_chunks::<{ BLOCK as usize }>();
    let mut index = first;
    for block in blocks {
        if any_at_most(block, limit) {
            push_at_most(block, index, limit, out);
        }
        index = index.wrapping_add(BLOCK);
    }
    push_at_most(rest, index, limit, out);
}

#[inline(always)]
fn any_at_most(keys: &[i32; BLOCK as usize], limit: i32) -> bool {
    let mut any = false;
    for &key in keys {
        any |= key <= limit;
    }
    any
}

#[inline(never)]
fn push_at_most(keys: &[i32], first: u32, limit: i32, out: &mut Vec<(i32, u32)>) {
    let mut index = first;
    for &key in keys {
        if key <= limit {
            out.push((key, index));
        }
        index = index.wrapping_add(1);
    }
}
