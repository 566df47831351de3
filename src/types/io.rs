//! Input and output: text, binary, type modifier, and the cast that enforces it.

use std::ffi::{CStr, CString, c_int};

use pgrx::datum::Internal;
use pgrx::pg_sys;
use pgrx::prelude::*;
use vera_vec_core::element::f16;
use vera_vec_core::{Element, VectorError, element, text, wire};

use super::arrays::ArrayArg;
use super::{Vector, VectorBuf, expected_dim};
use crate::error::{self, OrReport};
use crate::postgres;

fn input<E: Element>(input: &CStr, typmod: i32, fcinfo: pg_sys::FunctionCallInfo) -> Option<VectorBuf<E>> {
    match text::parse::<E>(input.to_bytes(), expected_dim(typmod)) {
        Ok(elements) => Some(VectorBuf::from_slice(&elements)),
        Err(error) if postgres::save_error(fcinfo, &error) => None,
        Err(error) => Err(error).or_report(),
    }
}

fn output<E: Element>(vector: &[E]) -> CString {
    // An element of an embedding prints in 11 bytes or so.
    let mut text = Vec::with_capacity(3 + 12 * vector.len());
    for &element in vector {
        text.push(if text.is_empty() { b'[' } else { b',' });
        postgres::push_shortest_decimal(element.to_f32(), &mut text);
    }
    text.push(b']');
    CString::new(text).unwrap_or_default() // there is no zero byte in it
}

fn receive<E: Element>(message: Internal, typmod: i32) -> VectorBuf<E> {
    let Some(datum) = message.unwrap() else {
        error::raise(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, "no message to receive")
    };
    let message: *mut pg_sys::StringInfoData = datum.cast_mut_ptr();
    // SAFETY: PostgreSQL calls receive functions with a StringInfo; reading beyond its end raises an error.
    let next_u16 = || u16::try_from(unsafe { pg_sys::pq_getmsgint(message, 2) }).unwrap_or(u16::MAX);
    let dim = usize::from(next_u16());
    let unused = next_u16();
    element::check_dim::<E>(dim).or_report();
    element::check_expected_dim(expected_dim(typmod), dim).or_report();
    if unused != 0 {
        Err(VectorError::UnusedNotZero { actual: unused }).or_report()
    }
    let length = dim * size_of::<E>();
    // SAFETY: as above; the bytes are the message's, which is there during the call.
    let bytes = unsafe {
        let bytes = pg_sys::pq_getmsgbytes(message, c_int::try_from(length).unwrap_or(c_int::MAX));
        std::slice::from_raw_parts(bytes.cast::<u8>(), length)
    };
    let mut vector = VectorBuf::new(dim);
    wire::decode(bytes, &mut vector).or_report();
    vector
}

fn send<E: Element>(vector: &[E]) -> Vec<u8> {
    let mut message = vec![0; 4 + size_of_val(vector)];
    let (header, elements) = message.split_at_mut(4);
    let dim = u16::try_from(vector.len()).unwrap_or(u16::MAX);
    header[..2].copy_from_slice(&dim.to_be_bytes());
    wire::encode(vector, elements);
    message
}

macro_rules! functions {
    ($name:ident, $element:ty) => {
        pastey::paste! {
            #[pg_extern(sql = false)]
            fn [<$name _in>](
                text: &CStr,
                _type_oid: pg_sys::Oid,
                typmod: i32,
                fcinfo: pg_sys::FunctionCallInfo,
            ) -> Option<VectorBuf<$element>> {
                input(text, typmod, fcinfo)
            }

            #[pg_extern(sql = false)]
            fn [<$name _out>](vector: Vector<'_, $element>) -> CString {
                output(&vector)
            }

            #[pg_extern(sql = false)]
            fn [<$name _typmod_in>](modifiers: ArrayArg<'_>) -> i32 {
                element::check_typmod::<$element>(modifiers.integer_typmods()).or_report()
            }

            #[pg_extern(sql = false)]
            fn [<$name _recv>](message: Internal, _type_oid: pg_sys::Oid, typmod: i32) -> VectorBuf<$element> {
                receive(message, typmod)
            }

            #[pg_extern(sql = false)]
            fn [<$name _send>](vector: Vector<'_, $element>) -> Vec<u8> {
                send(&vector)
            }

            /// The cast that PostgreSQL applies where a value meets a column with a type modifier.
            #[pg_extern(sql = false)]
            fn $name(vector: Vector<'_, $element>, typmod: i32, _explicit: bool) -> VectorBuf<$element> {
                element::check_expected_dim(expected_dim(typmod), vector.len()).or_report();
                VectorBuf::from_slice(&vector)
            }
        }
    };
}

functions!(veravec, f32);
functions!(verahalfvec, f16);
