//! Casts between vectors and arrays of numbers.

use std::marker::PhantomData;
use std::ptr::NonNull;

use pgrx::array::RawArray;
use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum, FromDatum};
use pgrx::pgrx_sql_entity_graph::metadata::impl_sql_translatable;
use pgrx::prelude::*;
use pgrx::{direct_function_call, pg_sys};
use vera_vec_core::element::f16;
use vera_vec_core::{Element, element};

use super::{Vector, VectorBuf, expected_dim};
use crate::error::{self, OrReport};
use crate::postgres;

/// An array that a function was called with, of any element type, made readable.
///
/// Memory context: a copy that TOAST required is in the current one, and stays there.
pub(crate) struct ArrayArg<'fcx> {
    array: NonNull<pg_sys::ArrayType>,
    argument: PhantomData<&'fcx pg_sys::ArrayType>,
}

impl ArrayArg<'_> {
    /// The type modifiers that an array of cstring spells.
    pub(crate) fn integer_typmods(&self) -> &[i32] {
        let mut count = 0;
        // SAFETY: this is an array; if it is not one of cstring, of one dimension, without nulls, that raises an
        // error. The result has `count` numbers, in the current memory context.
        unsafe {
            let typmods = pg_sys::ArrayGetIntegerTypmods(self.array.as_ptr(), &mut count);
            std::slice::from_raw_parts(typmods, usize::try_from(count).unwrap_or(0))
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut pg_sys::ArrayType {
        self.array.as_ptr()
    }

    /// The array in pgrx's terms.
    pub(crate) fn raw(&self) -> RawArray {
        // SAFETY: the pointer is to a whole, plain array, and only read through the result.
        unsafe { RawArray::from_ptr(self.array) }
    }

    /// The elements of an array of a type of variable length that is aligned as an int4; they are in the array.
    ///
    /// Ends the statement if one is NULL.
    pub(crate) fn varlenas(&self) -> &[pg_sys::Datum] {
        let raw = self.raw();
        // SAFETY: this is a whole array.
        if unsafe { raw.any_nulls() } {
            error::raise(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, "array must not contain nulls");
        }
        let (mut datums, mut count) = (std::ptr::null_mut(), 0);
        // SAFETY: the array says of which type its elements are, which the caller knows: of variable length, by reference,
        // aligned as an int4. There are no nulls. The result is in the current memory context.
        unsafe {
            pg_sys::deconstruct_array(
                self.as_ptr(),
                raw.oid(),
                -1,
                false,
                pg_sys::TYPALIGN_INT.cast_signed(),
                &mut datums,
                std::ptr::null_mut(),
                &mut count,
            );
            match usize::try_from(count) {
                Ok(count) if count > 0 => std::slice::from_raw_parts(datums, count),
                _ => &[],
            }
        }
    }

    /// The elements of an array that has no nulls and whose element type is `T`'s.
    ///
    /// # Safety
    /// `T` is the Rust type of the array's element type, of fixed length, and there are no nulls.
    unsafe fn elements<T>(&self) -> &[T] {
        // SAFETY: without nulls, elements of fixed length follow each other, as the caller says they are.
        unsafe { self.raw().data::<T>().as_ref() }
    }
}

impl FromDatum for ArrayArg<'_> {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller has made sure that it is an array; the result is whole and plain.
        let array = unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) };
        NonNull::new(array.cast()).map(|array| Self { array, argument: PhantomData })
    }
}

// SAFETY: the SQL files declare such arguments as arrays.
unsafe impl<'fcx> ArgAbi<'fcx> for ArrayArg<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the argument is an array, and is there as long as the call.
        unsafe { arg.unbox_arg_using_from_datum() }.unwrap_or_else(|| {
            error::raise(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, "null array where none was expected")
        })
    }
}

impl_sql_translatable!(ArrayArg<'_>, "anyarray");

/// An array as the result of a function.
pub(crate) struct ArrayBuf(NonNull<pg_sys::ArrayType>);

impl ArrayBuf {
    /// The array at `array`, which is plain and in a memory context that lives as long as a result must.
    pub(crate) fn from_ptr(array: *mut pg_sys::ArrayType) -> Self {
        Self(
            NonNull::new(array).unwrap_or_else(|| {
                error::raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, "no array to return")
            }),
        )
    }

    /// A new array of float8.
    pub(crate) fn from_f64(values: impl ExactSizeIterator<Item = f64>) -> Self {
        let mut datums: Vec<_> = values.map(|value| pg_sys::Datum::from(value.to_bits())).collect();
        Self::build(&mut datums, pg_sys::FLOAT8OID, size_of::<f64>(), pg_sys::TYPALIGN_DOUBLE)
    }

    /// A new array of float4.
    fn from_f32(values: impl ExactSizeIterator<Item = f32>) -> Self {
        let mut datums: Vec<_> = values.map(|value| pg_sys::Datum::from(value.to_bits())).collect();
        Self::build(&mut datums, pg_sys::FLOAT4OID, size_of::<f32>(), pg_sys::TYPALIGN_INT)
    }

    fn build(datums: &mut [pg_sys::Datum], element_type: pg_sys::Oid, size: usize, align: u8) -> Self {
        // SAFETY: the datums are of the element type, which is passed by value and has this size and alignment.
        Self::from_ptr(unsafe {
            pg_sys::construct_array(
                datums.as_mut_ptr(),
                i32::try_from(datums.len()).unwrap_or(i32::MAX),
                element_type,
                i32::try_from(size).unwrap_or(i32::MAX),
                true,
                align.cast_signed(),
            )
        })
    }
}

// SAFETY: the SQL files declare functions with such results as returning the array's type.
unsafe impl BoxRet for ArrayBuf {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: the pointer is to an array of the declared type that outlives the call.
        unsafe { fcinfo.return_raw_datum(pg_sys::Datum::from(self.0.as_ptr())) }
    }
}

impl_sql_translatable!(ArrayBuf, "anyarray");

/// The cast from arrays of integer, bigint, real, double precision and numeric.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // rounding is the purpose
fn from_array<E: Element>(array: &ArrayArg<'_>, typmod: i32) -> VectorBuf<E> {
    let raw = array.raw();
    if raw.dims().len() > 1 {
        error::raise(PgSqlErrorCode::ERRCODE_DATA_EXCEPTION, "array must be 1-D");
    }
    // SAFETY: this is a whole array.
    if unsafe { raw.any_nulls() } {
        error::raise(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, "array must not contain nulls");
    }
    let dim = raw.len();
    element::check_dim::<E>(dim).or_report();
    element::check_expected_dim(expected_dim(typmod), dim).or_report();

    let mut vector = VectorBuf::new(dim);
    match raw.oid() {
        // SAFETY: the element type is int4, and there are no nulls.
        pg_sys::INT4OID => fill(&mut vector, unsafe { array.elements::<i32>() }, |x| x as f32),
        // SAFETY: the element type is int8, and there are no nulls.
        pg_sys::INT8OID => fill(&mut vector, unsafe { array.elements::<i64>() }, |x| x as f32),
        // SAFETY: the element type is float4, and there are no nulls.
        pg_sys::FLOAT4OID => fill(&mut vector, unsafe { array.elements::<f32>() }, |x| x),
        // SAFETY: the element type is float8, and there are no nulls.
        pg_sys::FLOAT8OID => fill(&mut vector, unsafe { array.elements::<f64>() }, |x| x as f32),
        pg_sys::NUMERICOID => fill_from_numeric(&mut vector, array),
        _ => error::raise(PgSqlErrorCode::ERRCODE_DATA_EXCEPTION, "unsupported array type"),
    }
    vector
}

fn fill<E: Element, T: Copy>(vector: &mut VectorBuf<E>, values: &[T], convert: impl Fn(T) -> f32) {
    for (element, &value) in vector.iter_mut().zip(values) {
        *element = element::element_of(convert(value), shortest_decimal).or_report();
    }
}

/// A number as PostgreSQL prints a `real`.
fn shortest_decimal(number: f32) -> String {
    let mut text = Vec::new();
    postgres::push_shortest_decimal(number, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn fill_from_numeric<E: Element>(vector: &mut VectorBuf<E>, array: &ArrayArg<'_>) {
    fill(vector, array.varlenas(), |datum| {
        // SAFETY: the datum is a numeric; one that is out of range raises PostgreSQL's own error.
        unsafe { direct_function_call::<f32>(pg_sys::numeric_float4, &[Some(datum)]) }.unwrap_or(f32::NAN)
    });
}

/// The cast between vectors of different elements.
fn converted<E: Element, F: Element>(vector: &[E], typmod: i32) -> VectorBuf<F> {
    element::check_expected_dim(expected_dim(typmod), vector.len()).or_report();
    let mut result = VectorBuf::new(vector.len());
    fill(&mut result, vector, Element::to_f32);
    result
}

#[pg_extern(sql = false)]
fn veravec_to_verahalfvec(vector: Vector<'_, f32>, typmod: i32, _explicit: bool) -> VectorBuf<f16> {
    converted(&vector, typmod)
}

#[pg_extern(sql = false)]
fn verahalfvec_to_veravec(vector: Vector<'_, f16>, typmod: i32, _explicit: bool) -> VectorBuf<f32> {
    converted(&vector, typmod)
}

macro_rules! functions {
    ($name:ident, $element:ty) => {
        pastey::paste! {
            #[pg_extern(sql = false)]
            fn [<array_to_ $name>](array: ArrayArg<'_>, typmod: i32, _explicit: bool) -> VectorBuf<$element> {
                from_array(&array, typmod)
            }

            #[pg_extern(sql = false)]
            fn [<$name _to_float4>](vector: Vector<'_, $element>, _typmod: i32, _explicit: bool) -> ArrayBuf {
                ArrayBuf::from_f32(vector.iter().map(|x| x.to_f32()))
            }
        }
    };
}

functions!(veravec, f32);
functions!(verahalfvec, f16);
