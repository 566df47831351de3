//! What the planner asks about distance functions and length coercions.

use std::ffi::CStr;
use std::ptr::null_mut;

use pgrx::{FromDatum, pg_sys};
use vera_vec_core::element::f16;

use crate::postgres::list_elements;

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

/// The planner support function of the distance functions of vectors of `E`: answers `SupportRequestCost`, by the dimensions that either
/// argument declares. Without any, the function's `COST` counts.
///
/// # Safety
/// Called by the planner, with a request node.
unsafe fn distance_support<E>(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
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
        let dimensions = list_elements::<pg_sys::Node>(arguments)
            .filter_map(|argument| crate::types::expected_dim(pg_sys::exprTypmod(argument)))
            .max();
        let Some(dimensions) = dimensions else { return none };
        (*request).startup = 0.0;
        (*request).per_tuple = distance_cost(dimensions, size_of::<E>()) * pg_sys::cpu_operator_cost;
        pg_sys::Datum::from(request)
    }
}

/// The extension whose types have the bytes of ours, and their dimensions for a type modifier.
const PGVECTOR: &CStr = c"vector";

/// Whether a type is one of pgvector's.
///
/// # Safety
/// Inside a transaction.
unsafe fn is_pgvectors(type_oid: pg_sys::Oid) -> bool {
    // SAFETY: the caller's; the name is null, or a string that stays.
    unsafe {
        let extension = pg_sys::getExtensionOfObject(pg_sys::TypeRelationId, type_oid);
        if extension == pg_sys::InvalidOid {
            return false;
        }
        let name = pg_sys::get_extension_name(extension);
        !name.is_null() && CStr::from_ptr(name) == PGVECTOR
    }
}

/// The planner support function of the length coercions, as `veravec(veravec, integer, boolean)`: answers
/// `SupportRequestSimplify`, that there is nothing to do if pgvector's type, of which the bytes are, declares the same
/// dimensions. `ALTER TABLE … TYPE veravec(3)` of a column `vector(3)` then does not rewrite the table.
///
/// # Safety
/// Called by the planner, with a request node.
unsafe fn length_support(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    let none = pg_sys::Datum::from(null_mut::<pg_sys::Node>());
    // SAFETY: the caller's: one argument, a node. The request has a call of a function of three arguments; the planner's
    // nodes are only looked at.
    unsafe {
        let request: *mut pg_sys::Node = (*fcinfo).args.as_slice(1)[0].value.cast_mut_ptr();
        if (*request).type_ != pg_sys::NodeTag::T_SupportRequestSimplify {
            return none;
        }
        let request: *mut pg_sys::SupportRequestSimplify = request.cast();
        let mut arguments = list_elements::<pg_sys::Node>((*(*request).fcall).args);
        let Some(vector) = arguments.next() else { return none };
        let constant = |node: *mut pg_sys::Node| {
            ((*node).type_ == pg_sys::NodeTag::T_Const).then(|| &*node.cast::<pg_sys::Const>())
        };
        let (Some(typmod), Some(is_explicit)) =
            (arguments.next().and_then(constant), arguments.next().and_then(constant))
        else {
            return none;
        };
        // With a NULL the result is NULL.
        let Some(typmod) = i32::from_datum(typmod.constvalue, typmod.constisnull || is_explicit.constisnull)
        else {
            return none;
        };
        let mut source = vector;
        while (*source).type_ == pg_sys::NodeTag::T_RelabelType {
            source = (*source.cast::<pg_sys::RelabelType>()).arg.cast();
        }
        if pg_sys::exprTypmod(source) != typmod || !is_pgvectors(pg_sys::exprType(source)) {
            return none;
        }
        pg_sys::Datum::from(pg_sys::relabel_to_typmod(vector, typmod))
    }
}

macro_rules! support_function {
    ($name:ident, $finfo:ident, $answer:expr) => {
        #[doc = concat!("`", stringify!($answer), "`")]
        ///
        /// # Safety
        /// Called by the planner, with a request node.
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            // SAFETY: the caller's.
            unsafe { $answer(fcinfo) }
        }

        /// What PostgreSQL asks of a function before it calls it: the version of the calling convention.
        #[unsafe(no_mangle)]
        extern "C" fn $finfo() -> &'static pg_sys::Pg_finfo_record {
            &pg_sys::Pg_finfo_record { api_version: 1 }
        }
    };
}

support_function!(veravec_distance_support, pg_finfo_veravec_distance_support, distance_support::<f32>);
support_function!(
    verahalfvec_distance_support,
    pg_finfo_verahalfvec_distance_support,
    distance_support::<f16>
);
support_function!(veravec_length_support, pg_finfo_veravec_length_support, length_support);
support_function!(verahalfvec_length_support, pg_finfo_verahalfvec_length_support, length_support);
