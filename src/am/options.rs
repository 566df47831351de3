//! Options, of which there are none, and properties.

use pgrx::{pg_guard, pg_sys};

/// Accepts no option; an unknown one is PostgreSQL's error.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn amoptions(
    reloptions: pg_sys::Datum,
    validate: bool,
) -> *mut pg_sys::bytea {
    // SAFETY: with no options to parse, PostgreSQL looks at nothing of ours; it raises an ERROR for what it is given, if
    // that is to be validated.
    unsafe {
        pg_sys::build_reloptions(
            reloptions,
            validate,
            pg_sys::relopt_kind::RELOPT_KIND_LOCAL,
            0,
            std::ptr::null(),
            0,
        )
        .cast()
    }
}

/// `pg_index_column_has_property(…, 'distance_orderable')` is true for the column; the rest is PostgreSQL's to say.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn amproperty(
    _index_oid: pg_sys::Oid,
    attno: i32,
    prop: pg_sys::IndexAMProperty::Type,
    _propname: *const std::ffi::c_char,
    res: *mut bool,
    isnull: *mut bool,
) -> bool {
    if attno == 0 || prop != pg_sys::IndexAMProperty::AMPROP_DISTANCE_ORDERABLE {
        return false;
    }
    // SAFETY: PostgreSQL gives places for the answer.
    unsafe {
        *res = true;
        *isnull = false;
    }
    true
}
