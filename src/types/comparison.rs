//! Comparison and hashing, for the btree and hash operator classes.

use std::borrow::Cow;

use pgrx::prelude::*;
use vera_vec_core::vector::compare;

use super::Veravec;
use crate::postgres;

#[pg_extern(sql = false)]
fn veravec_lt(a: Veravec<'_>, b: Veravec<'_>) -> bool {
    compare(&a, &b).is_lt()
}

#[pg_extern(sql = false)]
fn veravec_le(a: Veravec<'_>, b: Veravec<'_>) -> bool {
    compare(&a, &b).is_le()
}

#[pg_extern(sql = false)]
fn veravec_eq(a: Veravec<'_>, b: Veravec<'_>) -> bool {
    compare(&a, &b).is_eq()
}

#[pg_extern(sql = false)]
fn veravec_ne(a: Veravec<'_>, b: Veravec<'_>) -> bool {
    compare(&a, &b).is_ne()
}

#[pg_extern(sql = false)]
fn veravec_ge(a: Veravec<'_>, b: Veravec<'_>) -> bool {
    compare(&a, &b).is_ge()
}

#[pg_extern(sql = false)]
fn veravec_gt(a: Veravec<'_>, b: Veravec<'_>) -> bool {
    compare(&a, &b).is_gt()
}

#[pg_extern(sql = false)]
fn veravec_cmp(a: Veravec<'_>, b: Veravec<'_>) -> i32 {
    compare(&a, &b) as i32
}

/// The elements' bytes, with 0 for −0, because the two compare equal.
fn hashable(elements: &[f32]) -> Cow<'_, [u8]> {
    if elements.iter().any(|x| *x == 0.0 && x.is_sign_negative()) {
        Cow::Owned(elements.iter().flat_map(|x| (x + 0.0).to_ne_bytes()).collect())
    } else {
        // SAFETY: any f32 is four bytes, and bytes have no alignment.
        Cow::Borrowed(unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) })
    }
}

#[pg_extern(sql = false)]
fn veravec_hash(vector: Veravec<'_>) -> i32 {
    postgres::hash(&hashable(&vector)).cast_signed()
}

#[pg_extern(sql = false)]
fn veravec_hash_extended(vector: Veravec<'_>, seed: i64) -> i64 {
    postgres::hash_extended(&hashable(&vector), seed.cast_unsigned()).cast_signed()
}
