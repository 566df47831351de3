//! Scans: rows in the order of lower bounds of their distances.

use std::cell::Cell;

use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};
use vera_vec_core::codes::{Encoder, Query};
use vera_vec_core::keys::KeyConditions;
use vera_vec_core::ranking::{Place, Ranking};
use vera_vec_core::search::SearchStats;

use super::columns::Columns;
use super::heap::Heap;
use super::source::{ScannedRows, Source, Wanted};
use super::{metric_of, value};
use crate::postgres::{self, Scratch};
use crate::storage::Index;
use crate::{error, operators};

/// What a scan keeps between calls: plain memory, no pins, no locks.
struct Scan {
    /// The memory context that this lives in.
    context: pg_sys::MemoryContext,
    /// Of the index, read when the scan was started first.
    encoder: Option<Encoder>,
    /// Made when the first row is asked for.
    heap: Option<Heap>,
    /// None until the first row is asked for.
    running: Option<Running>,
}

/// A search under way.
struct Running {
    query: Query,
    conditions: KeyConditions,
    rows: ScannedRows,
    ranking: Ranking,
}

/// What the last scan of this backend did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ScanStats {
    pub(super) search: SearchStats,
    pub(super) pages_read: u64,
}

thread_local! {
    static LAST_SCAN: Cell<ScanStats> = const { Cell::new(ScanStats { search: SearchStats { bounded: 0, refined: 0, returned: 0, passes: 0 }, pages_read: 0 }) };
}

/// What the last scan of this backend did, or has done so far.
pub(super) fn last_scan() -> ScanStats {
    LAST_SCAN.get()
}

#[pg_guard]
pub(super) unsafe extern "C-unwind" fn ambeginscan(
    relation: pg_sys::Relation,
    keys: i32,
    order_bys: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: PostgreSQL gives an open index; everything is allocated in the context that the scan lives in.
    unsafe {
        let scan = pg_sys::RelationGetIndexScan(relation, keys, order_bys);
        let count = usize::try_from(order_bys).unwrap_or(0);
        (*scan).xs_orderbyvals = pg_sys::palloc0(count * size_of::<pg_sys::Datum>()).cast();
        (*scan).xs_orderbynulls = pg_sys::palloc0(count * size_of::<bool>()).cast();
        (*scan).opaque = pgrx::PgMemoryContexts::CurrentMemoryContext
            .leak_and_drop_on_delete(Scan {
                context: pg_sys::CurrentMemoryContext,
                encoder: None,
                heap: None,
                running: None,
            })
            .cast();
        scan
    }
}

#[pg_guard]
pub(super) unsafe extern "C-unwind" fn amrescan(
    scan: pg_sys::IndexScanDesc,
    keys: pg_sys::ScanKey,
    key_count: i32,
    order_bys: pg_sys::ScanKey,
    order_by_count: i32,
) {
    // SAFETY: the scan is one that ambeginscan has made; there are as many keys and order-bys as it has room for.
    unsafe {
        if !keys.is_null() && key_count > 0 {
            (*scan).keyData.copy_from(keys, usize::try_from(key_count).unwrap_or(0));
        }
        if !order_bys.is_null() && order_by_count > 0 {
            (*scan).orderByData.copy_from(order_bys, usize::try_from(order_by_count).unwrap_or(0));
        }
        (*(*scan).opaque.cast::<Scan>()).running = None;
    }
}

#[pg_guard]
pub(super) unsafe extern "C-unwind" fn amendscan(scan: pg_sys::IndexScanDesc) {
    // SAFETY: the scan is one that ambeginscan has made. Its state is freed with its memory context; what is large, and
    // what others should know of, is given back now.
    unsafe {
        let state = &mut *(*scan).opaque.cast::<Scan>();
        state.running = None;
        if let Some(heap) = state.heap.take() {
            heap.end();
        }
    }
}

/// Gives the next row: its TID and its distances.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn amgettuple(
    scan: pg_sys::IndexScanDesc,
    direction: pg_sys::ScanDirection::Type,
) -> bool {
    debug_assert_eq!(direction, pg_sys::ScanDirection::ForwardScanDirection);
    // SAFETY: the scan is one that ambeginscan has made, with its state.
    let state = unsafe { &mut *(*scan).opaque.cast::<Scan>() };
    // SAFETY: as above, and its index is open.
    let index = unsafe { Index::new((*scan).indexRelation) };
    if state.running.is_none() {
        // SAFETY: as above.
        state.running = Some(unsafe { start(scan, index, state) });
    }
    let (Some(Running { query, conditions, rows, ranking }), Some(heap)) =
        (&mut state.running, &mut state.heap)
    else {
        return false;
    };
    // SAFETY: as above.
    let orders = usize::try_from(unsafe { (*scan).numberOfOrderBys }).unwrap_or(0);
    let row = ranking.next(&mut Source {
        index,
        query,
        rows,
        wanted: Wanted { tids: None, keys: (!conditions.is_empty()).then_some(&*conditions) },
        start: Place::FIRST,
        table: &mut *heap,
        has_one_order: orders == 1,
    });
    heap.release();
    // SAFETY: as above; a scan that has started has a snapshot.
    unsafe { postgres::check_snapshot_age(index.relation(), (*scan).xs_snapshot) };
    LAST_SCAN.set(ScanStats { search: ranking.stats(), pages_read: rows.pages_read });
    let Some(row) = row else { return false };
    // SAFETY: as above; there is room for as many values as there are orders.
    unsafe {
        (*scan).xs_heaptid = value::item_pointer(row.tid);
        // Keys are not the values.
        (*scan).xs_recheck = (*scan).numberOfKeys > 0;
        // The distances are the operators' own.
        (*scan).xs_recheckorderby = false;
        for (number, place) in std::iter::once(row.first).chain(row.rest).take(orders).enumerate() {
            let distance = place.distance();
            *(*scan).xs_orderbyvals.add(number) = pg_sys::Datum::from(distance.unwrap_or(0.0).to_bits());
            *(*scan).xs_orderbynulls.add(number) = distance.is_none();
        }
    }
    true
}

/// # Safety
/// The scan is one that ambeginscan has made, of an open index.
unsafe fn start(scan: pg_sys::IndexScanDesc, index: Index, state: &mut Scan) -> Running {
    // SAFETY: the caller's.
    let (snapshot, order_by) = unsafe {
        if (*scan).numberOfOrderBys < 1 {
            error::raise(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "veraflat index scan without ORDER BY",
            );
        }
        ((*scan).xs_snapshot, &*(*scan).orderByData)
    };
    // SAFETY: a scan has a snapshot when rows are asked for.
    let is_mvcc = unsafe {
        !snapshot.is_null()
            && matches!(
                (*snapshot).snapshot_type,
                pg_sys::SnapshotType::SNAPSHOT_MVCC | pg_sys::SnapshotType::SNAPSHOT_HISTORIC_MVCC
            )
    };
    if !is_mvcc {
        // ARCHITECTURE.md, "VACUUM and scans".
        error::raise(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "non-MVCC snapshots are not supported with veraflat",
        );
    }
    let Some(metric) = metric_of(order_by.sk_strategy) else {
        error::raise(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            format!("unknown strategy {}", order_by.sk_strategy),
        )
    };
    // SAFETY: the index is open; there are as many keys as the scan says.
    let conditions = unsafe {
        // Before anything is read.
        postgres::predicate_lock_relation(index.relation(), snapshot);
        postgres::count_index_scan(index.relation());
        #[cfg(feature = "pg18")]
        if let Some(counts) = (*scan).instrument.as_mut() {
            counts.nsearches += 1;
        }
        match usize::try_from((*scan).numberOfKeys).unwrap_or(0) {
            0 => KeyConditions::default(),
            count => {
                let keys = std::slice::from_raw_parts((*scan).keyData, count);
                let scratch = Scratch::new(state.context);
                let conditions = scratch.run(|| Columns::of(index.relation()).conditions(keys));
                scratch.delete();
                conditions
            }
        }
    };
    let meta = index.meta();
    let encoder = &*state.encoder.get_or_insert_with(|| Encoder::new(meta.layout.kind, index.center(&meta)));
    let is_null = order_by.sk_flags & pg_sys::SK_ISNULL.cast_signed() != 0;
    // SAFETY: the executor gives an argument of the operator's type, there until the scan is started again.
    let vector = unsafe { value::vector(order_by.sk_argument, is_null) };
    // SAFETY: the function of the operator that orders.
    let error = unsafe { operators::error_of(order_by.sk_func.fn_oid, meta.layout.dimensions) };
    let query = Query::new(metric, encoder, vector.as_deref(), error);
    // SAFETY: a setting of PostgreSQL's.
    let memory = usize::try_from(unsafe { pg_sys::work_mem }).unwrap_or(0) * 1024;
    let rows = ScannedRows::new(&meta);
    // SAFETY: the caller's; the executor gives a table with its snapshot.
    state.heap.get_or_insert_with(|| unsafe { Heap::new(scan, state.context) });
    Running { query, conditions, ranking: Ranking::new(rows.slots(), memory), rows }
}
