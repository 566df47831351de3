//! The distance functions, which the operators `<->`, `<#>`, `<=>` and `<+>` call.
//!
//! An exact scan calls one of them for every row, so each has two ways in. SQL names the direct one: for two plain
//! vectors of the same dimensions nothing can go wrong and nothing has to be freed, so it does without the guards
//! that pgrx puts around a call. Everything else is passed on to the guarded one, which `#[pg_extern]` makes.

use pgrx::pg_sys;
use pgrx::prelude::*;
use vera_vec_core::Metric;
use vera_vec_core::distance::{Kernels, any_order_error};
use vera_vec_core::element::{self, f16};

use crate::error::OrReport;
use crate::types::Vector;

/// Makes a function of two vectors that has the two ways in.
///
/// `$guarded` and `$guarded_symbol` are a function's name and what `#[pg_extern]` makes of it; `$direct` is the
/// symbol that SQL names, and `$finfo` has to be that after `pg_finfo_`, where PostgreSQL looks for it.
/// `$compute` is applied to the kernels and two slices of the same length.
macro_rules! distance_function {
    ($element:ty, $guarded:ident, $guarded_symbol:ident, $direct:ident, $finfo:ident, $compute:expr) => {
        #[pg_extern(sql = false)]
        fn $guarded(a: Vector<'_, $element>, b: Vector<'_, $element>) -> f64 {
            element::check_same_dim(&a, &b).or_report();
            let compute: fn(&Kernels, &[$element], &[$element]) -> f64 = $compute;
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
                (Vector::<$element>::plain(arguments[0].value), Vector::<$element>::plain(arguments[1].value))
            };
            match (a, b) {
                (Some(a), Some(b)) if a.len() == b.len() => {
                    let compute: fn(&Kernels, &[$element], &[$element]) -> f64 = $compute;
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
fn prefetch_next_row<E>(vector: &[E]) {
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
fn prefetch_next_row<E>(_vector: &[E]) {}

macro_rules! functions {
    ($name:ident, $element:ty) => {
        pastey::paste! {
            distance_function!(
                $element,
                [<$name _l2>],
                [<$name _l2_wrapper>],
                [<$name _l2_distance>],
                [<pg_finfo_ $name _l2_distance>],
                |kernels, a, b| kernels.distance(Metric::L2, a, b)
            );
            distance_function!(
                $element,
                [<$name _negative>],
                [<$name _negative_wrapper>],
                [<$name _negative_inner_product>],
                [<pg_finfo_ $name _negative_inner_product>],
                |kernels, a, b| kernels.distance(Metric::NegativeInnerProduct, a, b)
            );
            distance_function!(
                $element,
                [<$name _cosine>],
                [<$name _cosine_wrapper>],
                [<$name _cosine_distance>],
                [<pg_finfo_ $name _cosine_distance>],
                |kernels, a, b| kernels.distance(Metric::Cosine, a, b)
            );
            distance_function!(
                $element,
                [<$name _l1>],
                [<$name _l1_wrapper>],
                [<$name _l1_distance>],
                [<pg_finfo_ $name _l1_distance>],
                |kernels, a, b| kernels.distance(Metric::L1, a, b)
            );

            #[pg_extern(sql = false)]
            fn [<$name _inner_product>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> f64 {
                element::check_same_dim(&a, &b).or_report();
                Kernels::best().inner_product::<$element>(&a, &b)
            }

            #[pg_extern(sql = false)]
            fn [<$name _l2_squared_distance>](a: Vector<'_, $element>, b: Vector<'_, $element>) -> f64 {
                element::check_same_dim(&a, &b).or_report();
                Kernels::best().l2_sq::<$element>(&a, &b)
            }
        }
    };
}

functions!(veravec, f32);
functions!(verahalfvec, f16);

/// How far, relative to their terms' magnitudes, a distance function's sums may be from what the kernels here give; see
/// [`vera_vec_core::codes::Query::new`]. 0 for the functions of this file; others may round as they like.
///
/// # Safety
/// `function` is that of an operator of an operator class of veraflat.
pub(crate) unsafe fn error_of(function: pg_sys::Oid, dimensions: usize) -> f64 {
    type Function = unsafe extern "C-unwind" fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum;
    const OURS: [Function; 8] = [
        veravec_l2_distance,
        veravec_negative_inner_product,
        veravec_cosine_distance,
        veravec_l1_distance,
        verahalfvec_l2_distance,
        verahalfvec_negative_inner_product,
        verahalfvec_cosine_distance,
        verahalfvec_l1_distance,
    ];
    let mut info = pg_sys::FmgrInfo::default();
    // SAFETY: the caller's; what is looked up is not called.
    unsafe { pg_sys::fmgr_info(function, &raw mut info) };
    let is_ours =
        info.fn_addr.is_some_and(|address| OURS.iter().any(|&ours| std::ptr::fn_addr_eq(address, ours)));
    if is_ours { 0.0 } else { any_order_error(dimensions) }
}
