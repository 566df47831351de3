//! Configuration parameters.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

/// `vera_vec.enable_filter_first`
pub(crate) static ENABLE_FILTER_FIRST: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Makes the parameters known; called once in each backend.
pub(crate) fn define() {
    GucRegistry::define_bool_guc(
        c"vera_vec.enable_filter_first",
        c"Enables the planner's use of filter-first vector scans.",
        c"These rank only the rows that other indexes find for the query's conditions.",
        &ENABLE_FILTER_FIRST,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
    // SAFETY: a string that stays.
    unsafe { pgrx::pg_sys::MarkGUCPrefixReserved(c"vera_vec".as_ptr()) };
}
