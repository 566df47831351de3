//! `avg`. (`sum` is made of the operator `+`.)
//!
//! The state is pgvector's: an array of float8 with the number of rows, then the sums. A final function of one
//! and a transition function of the other would understand each other.

use pgrx::pg_sys;
use pgrx::prelude::*;
use vera_vec_core::element::f16;
use vera_vec_core::{Element, VectorError, element};

use super::arrays::{ArrayArg, ArrayBuf};
use super::{Vector, VectorBuf};
use crate::error::{self, OrReport};

/// The number of rows and the sums of a state; the slice is empty before the first row.
///
/// Raises an error that names the function if the array is no state: users can call these functions too.
fn state_values<'a>(state: &'a mut ArrayArg<'_>, caller: &str) -> &'a mut [f64] {
    let mut raw = state.raw();
    // SAFETY: this is a whole array.
    let plain = raw.oid() == pg_sys::FLOAT8OID && raw.dims().len() == 1 && !unsafe { raw.any_nulls() };
    if !plain || raw.len() == 0 {
        let message = format!("{caller}: expected state array");
        error::raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message);
    }
    // SAFETY: an array of float8 without nulls is its values, one after the other; it is borrowed mutably.
    unsafe { raw.data::<f64>().as_mut() }
}

fn check_finite(sum: f64) -> f64 {
    if sum.is_infinite() { Err(VectorError::Overflow).or_report() } else { sum }
}

fn accumulate<E: Element>(
    mut state: ArrayArg<'_>,
    vector: &[E],
    fcinfo: pg_sys::FunctionCallInfo,
    caller: &str,
) -> ArrayBuf {
    let pointer = state.as_ptr();
    let values = state_values(&mut state, caller);
    let (count, sums) = (values[0], &mut values[1..]);
    if sums.is_empty() {
        let first = vector.iter().map(|x| f64::from(x.to_f32()));
        return ArrayBuf::from_f64([count + 1.0].into_iter().chain(first).collect::<Vec<_>>().into_iter());
    }
    element::check_expected_dim(Some(sums.len()), vector.len()).or_report();
    // SAFETY: fcinfo is that of this call.
    if unsafe { pg_sys::AggCheckCallContext(fcinfo, std::ptr::null_mut()) } != 0 {
        // The state is the aggregate's own, and may be changed in place.
        for (sum, x) in sums.iter_mut().zip(vector) {
            *sum = check_finite(*sum + f64::from(x.to_f32()));
        }
        values[0] = count + 1.0;
        ArrayBuf::from_ptr(pointer)
    } else {
        let sums = sums.iter().zip(vector).map(|(sum, x)| check_finite(sum + f64::from(x.to_f32())));
        ArrayBuf::from_f64([count + 1.0].into_iter().chain(sums).collect::<Vec<_>>().into_iter())
    }
}

fn combine<E: Element>(mut a: ArrayArg<'_>, mut b: ArrayArg<'_>, caller: &str) -> ArrayBuf {
    let a = &*state_values(&mut a, caller);
    let b = &*state_values(&mut b, caller);
    let count = a[0] + b[0];
    let combined: Vec<f64> = match (a.len(), b.len()) {
        (_, 1) => a[1..].to_vec(),
        (1, _) => b[1..].to_vec(),
        _ => {
            element::check_expected_dim(Some(a.len() - 1), b.len() - 1).or_report();
            a[1..].iter().zip(&b[1..]).map(|(a, b)| check_finite(a + b)).collect()
        }
    };
    if !combined.is_empty() {
        element::check_dim::<E>(combined.len()).or_report();
    }
    ArrayBuf::from_f64([count].into_iter().chain(combined).collect::<Vec<_>>().into_iter())
}

fn average<E: Element>(mut state: ArrayArg<'_>, caller: &str) -> Option<VectorBuf<E>> {
    let values = &*state_values(&mut state, caller);
    let (count, sums) = (values[0], &values[1..]);
    // SQL's average of no rows is NULL.
    if count == 0.0 {
        return None;
    }
    element::check_dim::<E>(sums.len()).or_report();
    let mut vector = VectorBuf::new(sums.len());
    for (element, sum) in vector.iter_mut().zip(sums) {
        *element = element::check_element(E::from_f64(sum / count)).or_report();
    }
    Some(vector)
}

macro_rules! functions {
    ($name:ident, $element:ty) => {
        pastey::paste! {
            #[pg_extern(sql = false)]
            fn [<$name _accum>](
                state: ArrayArg<'_>,
                vector: Vector<'_, $element>,
                fcinfo: pg_sys::FunctionCallInfo,
            ) -> ArrayBuf {
                accumulate(state, &vector, fcinfo, concat!(stringify!($name), "_accum"))
            }

            #[pg_extern(sql = false)]
            fn [<$name _combine>](a: ArrayArg<'_>, b: ArrayArg<'_>) -> ArrayBuf {
                combine::<$element>(a, b, concat!(stringify!($name), "_combine"))
            }

            #[pg_extern(sql = false)]
            fn [<$name _avg>](state: ArrayArg<'_>) -> Option<VectorBuf<$element>> {
                average(state, concat!(stringify!($name), "_avg"))
            }
        }
    };
}

functions!(veravec, f32);
functions!(verahalfvec, f16);
