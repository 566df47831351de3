//! What PostgreSQL gives the access method: vectors, TIDs, dimensions.

use std::ffi::CStr;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgSqlErrorCode, PgTupleDesc, function_name, pg_sys};
use vera_vec_core::VectorError;
use vera_vec_core::codes::CodeKind;
use vera_vec_core::page::Tid;

use crate::error::{self, OrReport};
use crate::types::Widened;

/// The vector of an index's column.
///
/// # Safety
/// `datum` is of the column's type and stays where it is as long as the result.
pub(crate) unsafe fn vector<'a>(datum: pg_sys::Datum, is_null: bool) -> Option<Widened<'a>> {
    // SAFETY: the caller's.
    (!is_null).then(|| unsafe { Widened::new(datum) })
}

/// Ends the statement if a vector has not the dimensions that the index was made for.
pub(super) fn check_dimensions(expected: usize, vector: &[f32]) {
    if vector.len() != expected {
        Err::<(), _>(VectorError::UnexpectedDimensions { expected, actual: vector.len() }).or_report();
    }
}

/// # Safety
/// `pointer` points to a TID.
pub(super) unsafe fn tid(pointer: pg_sys::ItemPointer) -> Tid {
    // SAFETY: the caller's.
    let (block, offset) = pgrx::itemptr::item_pointer_get_both(unsafe { *pointer });
    Tid { block, offset }
}

/// The other way round.
pub(crate) fn item_pointer(tid: Tid) -> pg_sys::ItemPointerData {
    let mut pointer = pg_sys::ItemPointerData::default();
    pgrx::itemptr::item_pointer_set_all(&mut pointer, tid.block, tid.offset);
    pointer
}

/// The dimensions that the declaration of an index's vector column, or its expression, gives all of its vectors.
///
/// Ends the statement if it gives none.
///
/// # Safety
/// `relation` is an open index of this access method, and `column` the vector's number.
pub(super) unsafe fn declared_dimensions(relation: pg_sys::Relation, column: usize) -> usize {
    // SAFETY: the caller's.
    let typmod = unsafe {
        let columns = PgTupleDesc::from_pg_copy((*relation).rd_att);
        columns.get(column).map_or(-1, |column| column.atttypmod)
    };
    crate::types::expected_dim(typmod).unwrap_or_else(|| {
        // SAFETY: an index has the type of each column; its name is a copy.
        let name = unsafe { CStr::from_ptr(pg_sys::format_type_be(*(*relation).rd_opcintype.add(column))) };
        error::report(
            ErrorReport::new(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                "column does not have dimensions",
                function_name!(),
            )
            .set_hint(format!(
                "Declare it as {0}(n), or index an expression like ((embedding::{0}(n))).",
                name.to_string_lossy()
            )),
        )
    })
}

/// The kind of codes that serve an index's operators.
///
/// # Safety
/// `relation` is an open index of this access method, and `column` the vector's number.
pub(super) unsafe fn code_kind(relation: pg_sys::Relation, column: usize) -> CodeKind {
    // SAFETY: an index has the family and type of each column.
    let has_l1 = unsafe {
        let (family, input) = (*(*relation).rd_opfamily.add(column), *(*relation).rd_opcintype.add(column));
        pg_sys::get_opfamily_member(family, input, input, 4) != pg_sys::InvalidOid
    };
    if has_l1 { CodeKind::Taxicab } else { CodeKind::Rotated }
}
