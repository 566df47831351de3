//! Functions and operators on vectors other than distances and comparisons.

use std::ptr::NonNull;

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pgrx_sql_entity_graph::metadata::impl_sql_translatable;
use pgrx::prelude::*;
use pgrx::{pg_sys, varlena};
use vera_vec_core::element;
use vera_vec_core::vector::{self, Arithmetic};

use super::{Veravec, VeravecBuf};
use crate::error::OrReport;

#[pg_extern(sql = false)]
fn veravec_dims(vector: Veravec<'_>) -> i32 {
    i32::try_from(vector.len()).unwrap_or(i32::MAX)
}

#[pg_extern(sql = false)]
fn veravec_norm(vector: Veravec<'_>) -> f64 {
    vector::norm(&vector)
}

#[pg_extern(sql = false)]
fn veravec_normalize(vector: Veravec<'_>) -> VeravecBuf {
    let mut result = VeravecBuf::new(vector.len());
    vector::normalize(&vector, &mut result).or_report();
    result
}

fn arithmetic(operation: Arithmetic, a: &[f32], b: &[f32]) -> VeravecBuf {
    element::check_same_dim(a, b).or_report();
    let mut result = VeravecBuf::new(a.len());
    vector::arithmetic(operation, a, b, &mut result).or_report();
    result
}

#[pg_extern(sql = false)]
fn veravec_add(a: Veravec<'_>, b: Veravec<'_>) -> VeravecBuf {
    arithmetic(Arithmetic::Add, &a, &b)
}

#[pg_extern(sql = false)]
fn veravec_sub(a: Veravec<'_>, b: Veravec<'_>) -> VeravecBuf {
    arithmetic(Arithmetic::Subtract, &a, &b)
}

#[pg_extern(sql = false)]
fn veravec_mul(a: Veravec<'_>, b: Veravec<'_>) -> VeravecBuf {
    arithmetic(Arithmetic::Multiply, &a, &b)
}

fn scale(factor: f64, vector: &[f32]) -> VeravecBuf {
    let mut result = VeravecBuf::new(vector.len());
    vector::scale(factor, vector, &mut result).or_report();
    result
}

#[pg_extern(sql = false)]
fn float8_veravec_mul(factor: f64, vector: Veravec<'_>) -> VeravecBuf {
    scale(factor, &vector)
}

#[pg_extern(sql = false)]
fn veravec_float8_mul(vector: Veravec<'_>, factor: f64) -> VeravecBuf {
    scale(factor, &vector)
}

#[pg_extern(sql = false)]
fn veravec_concat(a: Veravec<'_>, b: Veravec<'_>) -> VeravecBuf {
    let dim = a.len() + b.len();
    element::check_dim::<f32>(dim).or_report();
    let mut result = VeravecBuf::new(dim);
    let (left, right) = result.split_at_mut(a.len());
    left.copy_from_slice(&a);
    right.copy_from_slice(&b);
    result
}

#[pg_extern(sql = false)]
fn veravec_subvector(vector: Veravec<'_>, start: i32, count: i32) -> VeravecBuf {
    VeravecBuf::from_slice(vector::subvector(&vector, start, count).or_report())
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

#[pg_extern(sql = false)]
fn veravec_binary_quantize(vector: Veravec<'_>) -> BitString {
    let mut bits = BitString::new(vector.len());
    vector::binary_quantize(&vector, bits.bytes_mut());
    bits
}
