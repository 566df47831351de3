//! Counting a table's rows without a query.

use std::ptr::null_mut;

use pgrx::prelude::*;
use pgrx::{check_for_interrupts, pg_sys};

/// The rows of a table that the running statement sees. None if there is no such table or it is none, if somebody has locked it
/// even for reading, or if the current user may not read it, or not all of its rows.
///
/// Unlike a query, it runs nothing that belongs to the table's owner. A query would run the functions of policies, and, as
/// the planner folds constants, those in the expressions of indexes; with the rights of whoever asks.
#[pg_extern(sql = false)]
fn store_documents(relation: pg_sys::Oid) -> Option<i64> {
    const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock.cast_signed();
    // SAFETY: a number and not a table's, perhaps: it is locked, and then it either can be opened or is gone.
    let table = unsafe {
        if !pg_sys::ConditionalLockRelationOid(relation, LOCK) {
            return None;
        }
        pg_sys::try_table_open(relation, pg_sys::NoLock.cast_signed())
    };
    if table.is_null() {
        return None;
    }
    // SAFETY: a table that is open and locked.
    unsafe {
        let count = may_read(table).then(|| count(table));
        pg_sys::table_close(table, LOCK);
        count
    }
}

/// Whether the current user may read all rows of a relation, and it is an ordinary table.
///
/// # Safety
/// An open relation.
unsafe fn may_read(relation: pg_sys::Relation) -> bool {
    // SAFETY: the caller's.
    unsafe {
        let number = (*relation).rd_id;
        let is_table = (*(*relation).rd_rel).relkind.to_ne_bytes() == [pg_sys::RELKIND_RELATION];
        #[allow(clippy::useless_conversion)] // of the same type until PostgreSQL 15
        let select = pg_sys::ACL_SELECT.into();
        is_table
            && pg_sys::pg_class_aclcheck(number, pg_sys::GetUserId(), select)
                == pg_sys::AclResult::ACLCHECK_OK
            && pg_sys::check_enable_rls(number, pg_sys::InvalidOid, true)
                != pg_sys::CheckEnableRlsResult::RLS_ENABLED.cast_signed()
    }
}

/// The rows that the active snapshot sees.
///
/// # Safety
/// A table that is open and locked.
unsafe fn count(table: pg_sys::Relation) -> i64 {
    // SAFETY: the caller's; there is an active snapshot while a function runs. What an error leaves open, the end of the
    // transaction closes.
    unsafe {
        let slot = pg_sys::table_slot_create(table, null_mut());
        let scan = pg_sys::table_beginscan(table, pg_sys::GetActiveSnapshot(), 0, null_mut());
        let mut rows = 0;
        while pg_sys::table_scan_getnextslot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot) {
            check_for_interrupts!();
            rows += 1;
        }
        pg_sys::table_endscan(scan);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        rows
    }
}
