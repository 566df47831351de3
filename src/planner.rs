//! What the planner asks about distance functions.

use std::ptr::null_mut;

use pgrx::pg_sys;
use vera_vec_core::element::f16;

/// Larger vectors are stored out of line, unless the table says otherwise: PostgreSQL's TOAST_TUPLE_THRESHOLD, about.
const LARGEST_IN_LINE: f64 = 2000.0;

/// What a distance costs in units of `cpu_operator_cost`, measured (benches/README.md): a call and a kernel whose memory is
/// not in cache; and for vectors that are stored out of line, finding their parts and putting them together.
fn distance_cost(dimensions: usize, element: usize) -> f64 {
    #[allow(clippy::cast_precision_loss)] // at most 16,000
    let bytes = (dimensions * element + 8) as f64;
    let in_line = 20.0 + bytes / 100.0;
    if bytes <= LARGEST_IN_LINE { in_line } else { in_line + 100.0 + bytes / 32.0 }
}

/// The planner support function of the distance functions: answers `SupportRequestCost`, by the dimensions that either
/// argument declares. Without any, the function's `COST` counts.
///
/// # Safety
/// Called by the planner, with a request node.
unsafe fn distance_support(fcinfo: pg_sys::FunctionCallInfo, element: usize) -> pg_sys::Datum {
    let none = pg_sys::Datum::from(null_mut::<pg_sys::Node>());
    // SAFETY: the caller's: one argument, a node. The node that a request has is that of a call; the list and its cells
    // are the planner's. exprTypmod only looks at nodes.
    unsafe {
        let request: *mut pg_sys::Node = (*fcinfo).args.as_slice(1)[0].value.cast_mut_ptr();
        if (*request).type_ != pg_sys::NodeTag::T_SupportRequestCost {
            return none;
        }
        let request: *mut pg_sys::SupportRequestCost = request.cast();
        let node = (*request).node;
        if node.is_null() {
            return none;
        }
        let arguments = match (*node).type_ {
            pg_sys::NodeTag::T_OpExpr => (*node.cast::<pg_sys::OpExpr>()).args,
            pg_sys::NodeTag::T_FuncExpr => (*node.cast::<pg_sys::FuncExpr>()).args,
            _ => null_mut(),
        };
        if arguments.is_null() {
            return none;
        }
        let count = usize::try_from((*arguments).length).unwrap_or(0);
        let dimensions = (0..count)
            .filter_map(|number| {
                let argument = (*(*arguments).elements.add(number)).ptr_value.cast::<pg_sys::Node>();
                crate::types::expected_dim(pg_sys::exprTypmod(argument))
            })
            .max();
        let Some(dimensions) = dimensions else { return none };
        (*request).startup = 0.0;
        (*request).per_tuple = distance_cost(dimensions, element) * pg_sys::cpu_operator_cost;
        pg_sys::Datum::from(request)
    }
}

macro_rules! support_function {
    ($name:ident, $finfo:ident, $element:ty) => {
        #[doc = concat!("`distance_support` for vectors of `", stringify!($element), "`.")]
        ///
        /// # Safety
        /// Called by the planner, with a request node.
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            // SAFETY: the caller's.
            unsafe { distance_support(fcinfo, size_of::<$element>()) }
        }

        /// What PostgreSQL asks of a function before it calls it: the version of the calling convention.
        #[unsafe(no_mangle)]
        extern "C" fn $finfo() -> &'static pg_sys::Pg_finfo_record {
            &pg_sys::Pg_finfo_record { api_version: 1 }
        }
    };
}

support_function!(veravec_distance_support, pg_finfo_veravec_distance_support, f32);
support_function!(verahalfvec_distance_support, pg_finfo_verahalfvec_distance_support, f16);
