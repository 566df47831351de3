//! The distance functions, which the operators `<->`, `<#>`, `<=>` and `<+>` call.
//!
//! An exact scan calls one of them for every row, so each has two ways in. SQL names the direct one: for two plain
//! vectors of the same dimensions nothing can go wrong and nothing has to be freed, so it does without the guards
//! that pgrx puts around a call. Everything else is passed on to the guarded one, which `#[pg_extern]` makes.

use pgrx::pg_sys;
use pgrx::prelude::*;
use vera_vec_core::distance::Kernels;
use vera_vec_core::{Metric, element};

use crate::error::OrReport;
use crate::types::Veravec;

/// Makes a function of two vectors that has the two ways in.
///
/// `$guarded` and `$guarded_symbol` are a function's name and what `#[pg_extern]` makes of it; `$direct` is the
/// symbol that SQL names, and `$finfo` has to be that after `pg_finfo_`, where PostgreSQL looks for it.
/// `$compute` is applied to the kernels and two slices of the same length.
macro_rules! distance_function {
    ($guarded:ident, $guarded_symbol:ident, $direct:ident, $finfo:ident, $compute:expr) => {
        #[pg_extern(sql = false)]
        fn $guarded(a: Veravec<'_>, b: Veravec<'_>) -> f64 {
            element::check_same_dim(&a, &b).or_report();
            let compute: fn(&Kernels, &[f32], &[f32]) -> f64 = $compute;
            compute(Kernels::best(), &a, &b)
        }

        #[doc = concat!("As `", stringify!($guarded), "`, for PostgreSQL to call.")]
        ///
        /// # Safety
        /// `fcinfo` is that of a call with two arguments of type veravec, neither of them null.
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $direct(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            // SAFETY: the caller's; and the arguments are there during the call.
            let (a, b) = unsafe {
                let arguments = (*fcinfo).args.as_slice(2);
                (Veravec::plain(arguments[0].value), Veravec::plain(arguments[1].value))
            };
            match (a, b) {
                (Some(a), Some(b)) if a.len() == b.len() => {
                    let compute: fn(&Kernels, &[f32], &[f32]) -> f64 = $compute;
                    prefetch_next_row(a);
                    pg_sys::Datum::from(compute(Kernels::best(), a, b).to_bits())
                }
                // SAFETY: the same call, passed on.
                _ => unsafe { $guarded_symbol(fcinfo) },
            }
        }

        /// What PostgreSQL asks of a function before it calls it: the version of the calling convention.
        #[unsafe(no_mangle)]
        extern "C" fn $finfo() -> &'static pg_sys::Pg_finfo_record {
            &pg_sys::Pg_finfo_record { api_version: 1 }
        }
    };
}

/// Asks the CPU to fetch what an exact scan will look at next, while it computes this row's distance.
///
/// Rows fill a heap page from its end, so the next one lies right before this one; the CPU's own prefetchers
/// expect the opposite. It is a guess that costs little where it is wrong. Where it is right, that is where the
/// left operand is a column that is stored in line, an exact scan of 384 dimensions takes three quarters of the time.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn prefetch_next_row(vector: &[f32]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    /// A row's header and some bytes of other columns.
    const BETWEEN_VECTORS: usize = 64;
    /// Larger values are not stored in line.
    const LARGEST_IN_LINE: usize = 2048;

    if size_of_val(vector) < LARGEST_IN_LINE {
        let start = vector.as_ptr().cast::<i8>();
        for offset in (0..size_of_val(vector)).step_by(64) {
            // SAFETY: every x86-64 CPU has the instruction, and it accepts any address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_sub(BETWEEN_VECTORS + offset)) };
        }
    }
}

/// Stable Rust has no prefetch for other architectures.
#[cfg(not(target_arch = "x86_64"))]
fn prefetch_next_row(_vector: &[f32]) {}

distance_function!(
    l2_distance,
    l2_distance_wrapper,
    veravec_l2_distance,
    pg_finfo_veravec_l2_distance,
    |kernels, a, b| kernels.distance(Metric::L2, a, b)
);
distance_function!(
    negative_inner_product,
    negative_inner_product_wrapper,
    veravec_negative_inner_product,
    pg_finfo_veravec_negative_inner_product,
    |kernels, a, b| kernels.distance(Metric::NegativeInnerProduct, a, b)
);
distance_function!(
    cosine_distance,
    cosine_distance_wrapper,
    veravec_cosine_distance,
    pg_finfo_veravec_cosine_distance,
    |kernels, a, b| kernels.distance(Metric::Cosine, a, b)
);
distance_function!(
    l1_distance,
    l1_distance_wrapper,
    veravec_l1_distance,
    pg_finfo_veravec_l1_distance,
    |kernels, a, b| kernels.distance(Metric::L1, a, b)
);

#[pg_extern(sql = false)]
fn veravec_inner_product(a: Veravec<'_>, b: Veravec<'_>) -> f64 {
    element::check_same_dim(&a, &b).or_report();
    Kernels::best().inner_product(&a, &b)
}

#[pg_extern(sql = false)]
fn veravec_l2_squared_distance(a: Veravec<'_>, b: Veravec<'_>) -> f64 {
    element::check_same_dim(&a, &b).or_report();
    Kernels::best().l2_sq(&a, &b)
}
