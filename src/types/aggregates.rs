//! `avg(veravec)`. (`sum` is made of the operator `+`.)
//!
//! The state is pgvector's: an array of float8 with the number of rows, then the sums. A final function of one
//! and a transition function of the other would understand each other.

use pgrx::pg_sys;
use pgrx::prelude::*;
use vera_vec_core::{VectorError, element};

use super::arrays::{ArrayArg, ArrayBuf};
use super::{Veravec, VeravecBuf};
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

#[pg_extern(sql = false)]
fn veravec_accum(mut state: ArrayArg<'_>, vector: Veravec<'_>, fcinfo: pg_sys::FunctionCallInfo) -> ArrayBuf {
    let pointer = state.as_ptr();
    let values = state_values(&mut state, "veravec_accum");
    let (count, sums) = (values[0], &mut values[1..]);
    if sums.is_empty() {
        let first = vector.iter().map(|&x| f64::from(x));
        return ArrayBuf::from_f64([count + 1.0].into_iter().chain(first).collect::<Vec<_>>().into_iter());
    }
    element::check_expected_dim(Some(sums.len()), vector.len()).or_report();
    // SAFETY: fcinfo is that of this call.
    if unsafe { pg_sys::AggCheckCallContext(fcinfo, std::ptr::null_mut()) } != 0 {
        // The state is the aggregate's own, and may be changed in place.
        for (sum, &x) in sums.iter_mut().zip(vector.iter()) {
            *sum = check_finite(*sum + f64::from(x));
        }
        values[0] = count + 1.0;
        ArrayBuf::from_ptr(pointer)
    } else {
        let sums = sums.iter().zip(vector.iter()).map(|(sum, &x)| check_finite(sum + f64::from(x)));
        ArrayBuf::from_f64([count + 1.0].into_iter().chain(sums).collect::<Vec<_>>().into_iter())
    }
}

#[pg_extern(sql = false)]
fn veravec_combine(mut a: ArrayArg<'_>, mut b: ArrayArg<'_>) -> ArrayBuf {
    let a = &*state_values(&mut a, "veravec_combine");
    let b = &*state_values(&mut b, "veravec_combine");
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
        element::check_dim::<f32>(combined.len()).or_report();
    }
    ArrayBuf::from_f64([count].into_iter().chain(combined).collect::<Vec<_>>().into_iter())
}

#[pg_extern(sql = false)]
#[allow(clippy::cast_possible_truncation)] // rounding is the purpose
fn veravec_avg(mut state: ArrayArg<'_>) -> Option<VeravecBuf> {
    let values = &*state_values(&mut state, "veravec_avg");
    let (count, sums) = (values[0], &values[1..]);
    // SQL's average of no rows is NULL.
    if count == 0.0 {
        return None;
    }
    element::check_dim::<f32>(sums.len()).or_report();
    let mut vector = VeravecBuf::new(sums.len());
    for (element, sum) in vector.iter_mut().zip(sums) {
        *element = element::check_element((sum / count) as f32).or_report();
    }
    Some(vector)
}
