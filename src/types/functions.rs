//! Functions and operators on vectors other than distances and comparisons.

use std::ptr::NonNull;

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pgrx_sql_entity_graph::metadata::impl_sql_translatable;
use pgrx::prelude::*;
use pgrx::{pg_sys, varlena};
use vera_vec_core::element::{self, f16};
use vera_vec_core::vector::{self, Arithmetic};
use vera_vec_core::{Element, VectorError};

use super::{Vector, VectorBuf};
use crate::error::OrReport;

/// A new vector of `dim` dimensions, filled by `fill`.
fn made<E: Element>(dim: usize, fill: impl FnOnce(&mut [E]) -> Result<(), VectorError>) -> VectorBuf<E> {
    let mut result = VectorBuf::new(dim);
    fill(&mut result).or_report();
    result
}

fn arithmetic<E: Element>(operation: Arithmetic, a: &[E], b: &[E]) -> VectorBuf<E> {
    element::check_same_dim(a, b).or_report();
    made(a.len(), |result| vector::arithmetic(operation, a, b, result))
}

fn scale<E: Element>(factor: f64, a: &[E]) -> VectorBuf<E> {
    made(a.len(), |result| vector::scale(factor, a, result))
}

fn concatenate<E: Element>(a: &[E], b: &[E]) -> VectorBuf<E> {
    let dim = a.len() + b.len();
    element::check_dim::<E>(dim).or_report();
    let mut result = VectorBuf::new(dim);
    let (left, right) = result.split_at_mut(a.len());
    left.copy_from_slice(a);
    right.copy_from_slice(b);
    result
}

/// What stands before the bits of a `bit` value: VarBit of utils/varbit.h.
#[repr(C)]
struct VarBit {
    vl_len: u32,
    bit_len: i32,
}

/// A `bit` value as the result of a function.
struct BitString(NonNull<VarBit>);

impl BitString {
    /// As many zero bits, in the current memory context.
    fn new(bits: usize) -> Self {
        let size = size_of::<VarBit>() + bits.div_ceil(8);
        let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        // SAFETY: palloc0 returns `size` zero bytes or raises an error; the header fits into them.
        unsafe {
            let value = NonNull::new_unchecked(pg_sys::palloc0(size).cast::<VarBit>());
            varlena::set_varsize_4b(value.as_ptr().cast(), number(size));
            (*value.as_ptr()).bit_len = number(bits);
            Self(value)
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `new` has allocated as many bytes after the header.
        unsafe {
            let bits = usize::try_from(self.0.as_ref().bit_len).unwrap_or(0);
            std::slice::from_raw_parts_mut(self.0.as_ptr().add(1).cast(), bits.div_ceil(8))
        }
    }
}

// SAFETY: the SQL files declare functions with such results as returning bit.
unsafe impl BoxRet for BitString {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: the pointer is to a bit value in the caller's memory context.
        unsafe { fcinfo.return_raw_datum(pg_sys::Datum::from(self.0.as_ptr())) }
    }
}

impl_sql_translatable!(BitString, "bit");

macro_rules! functions {
    ($name:ident, $element:ty) => {
        pastey::paste! {
            #[pg_extern(sql = false)]
            fn [<$name _dims>](a: Vector<'_, $element>) -> i32 {
                i32::try_from(a.len()).unwrap_or(i32::MAX)
            }

            #[pg_extern(sql = false)]
            fn [<$name _norm>](a: Vector<'_, $element>) -> f64 {
                vector::norm(&a)
            }

            #[pg_extern(sql = false)]
            fn [<$name _normalize>](a: Vector<'_, $element>) -> VectorBuf<$element> {
                made(a.len(), |result| vector::normalize(&a, result))
            }

            #[pg_extern(sql = false)]
            fn [<$name _add>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> VectorBuf<$element> {
                arithmetic(Arithmetic::Add, &a, &b)
            }

            #[pg_extern(sql = false)]
            fn [<$name _sub>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> VectorBuf<$element> {
                arithmetic(Arithmetic::Subtract, &a, &b)
            }

            #[pg_extern(sql = false)]
            fn [<$name _mul>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> VectorBuf<$element> {
                arithmetic(Arithmetic::Multiply, &a, &b)
            }

            #[pg_extern(sql = false)]
            fn [<float8_ $name _mul>](factor: f64, a: Vector<'_, $element>) -> VectorBuf<$element> {
                scale(factor, &a)
            }

            #[pg_extern(sql = false)]
            fn [<$name _float8_mul>](a: Vector<'_, $element>, factor: f64) -> VectorBuf<$element> {
                scale(factor, &a)
            }

            #[pg_extern(sql = false)]
            fn [<$name _concat>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> VectorBuf<$element> {
                concatenate(&a, &b)
            }

            #[pg_extern(sql = false)]
            fn [<$name _subvector>](a: Vector<'_, $element>, start: i32, count: i32) -> VectorBuf<$element> {
                VectorBuf::from_slice(vector::subvector(&a, start, count).or_report())
            }

            #[pg_extern(sql = false)]
            fn [<$name _binary_quantize>](a: Vector<'_, $element>) -> BitString {
                let mut bits = BitString::new(a.len());
                vector::binary_quantize(&a, bits.bytes_mut());
                bits
            }
        }
    };
}

functions!(veravec, f32);
functions!(verahalfvec, f16);
