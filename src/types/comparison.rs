//! Comparison and hashing, for the btree and hash operator classes.

use std::borrow::Cow;

use pgrx::prelude::*;
use vera_vec_core::Element;
use vera_vec_core::element::f16;
use vera_vec_core::vector::compare;

use super::Vector;
use crate::postgres;

/// The elements' bytes, with 0 for −0, because the two compare equal.
fn hashable<E: Element>(elements: &[E]) -> Cow<'_, [u8]> {
    let is_negative_zero = |x: &E| x.to_f32() == 0.0 && x.to_f32().is_sign_negative();
    if elements.iter().any(is_negative_zero) {
        let positive: Vec<E> =
            elements.iter().map(|x| if is_negative_zero(x) { E::from_f32(0.0) } else { *x }).collect();
        Cow::Owned(bytes(&positive).to_vec())
    } else {
        Cow::Borrowed(bytes(elements))
    }
}

fn bytes<E: Element>(elements: &[E]) -> &[u8] {
    // SAFETY: an element has as many bytes as its size, all of them part of the number; and bytes have no alignment.
    unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) }
}

macro_rules! functions {
    ($name:ident, $element:ty) => {
        pastey::paste! {
            #[pg_extern(sql = false)]
            fn [<$name _lt>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> bool {
                compare(&a, &b).is_lt()
            }

            #[pg_extern(sql = false)]
            fn [<$name _le>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> bool {
                compare(&a, &b).is_le()
            }

            #[pg_extern(sql = false)]
            fn [<$name _eq>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> bool {
                compare(&a, &b).is_eq()
            }

            #[pg_extern(sql = false)]
            fn [<$name _ne>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> bool {
                compare(&a, &b).is_ne()
            }

            #[pg_extern(sql = false)]
            fn [<$name _ge>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> bool {
                compare(&a, &b).is_ge()
            }

            #[pg_extern(sql = false)]
            fn [<$name _gt>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> bool {
                compare(&a, &b).is_gt()
            }

            #[pg_extern(sql = false)]
            fn [<$name _cmp>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> i32 {
                compare(&a, &b) as i32
            }

            #[pg_extern(sql = false)]
            fn [<$name _hash>](a: Vector<'_, $element>) -> i32 {
                postgres::hash(&hashable(&a)).cast_signed()
            }

            #[pg_extern(sql = false)]
            fn [<$name _hash_extended>](a: Vector<'_, $element>, seed: i64) -> i64 {
                postgres::hash_extended(&hashable(&a), seed.cast_unsigned()).cast_signed()
            }
        }
    };
}

functions!(veravec, f32);
functions!(verahalfvec, f16);
