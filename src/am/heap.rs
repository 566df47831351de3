//! Fetching rows from the table, and their exact distances.

use std::ptr::null_mut;

use pgrx::pg_sys;
use vera_vec_core::page::Tid;
use vera_vec_core::ranking::{Place, Ranked};

use super::columns::Columns;
use super::source::Fetch;
use super::value;

/// What fetching needs; lies in the memory context of the scan, which frees it.
///
/// Keeps no pin between calls from the executor: see [`Self::release`].
#[derive(Debug)]
pub(super) struct Heap {
    scan: pg_sys::IndexScanDesc,
    fetch: *mut pg_sys::IndexFetchTableData,
    slot: *mut pg_sys::TupleTableSlot,
    index_info: *mut pg_sys::IndexInfo,
    /// The number of the vector's column.
    column: usize,
    /// For index expressions; null if there are none.
    executor: *mut pg_sys::EState,
    /// Reset after each row.
    row_context: pg_sys::MemoryContext,
}

impl Heap {
    /// # Safety
    /// The scan is one that ambeginscan has made, with a table and a snapshot; `context` is the one it lives in.
    pub(super) unsafe fn new(scan: pg_sys::IndexScanDesc, context: pg_sys::MemoryContext) -> Self {
        // SAFETY: the caller's; everything is allocated in the context that is switched to. The table's functions are
        // there if it can be scanned by index.
        unsafe {
            let caller = pg_sys::MemoryContextSwitchTo(context);
            let heap = (*scan).heapRelation;
            let index_info = pg_sys::BuildIndexInfo((*scan).indexRelation);
            let column = Columns::of((*scan).indexRelation).vector;
            let (executor, row_context) = if (*index_info).ii_Expressions.is_null() {
                let context = pg_sys::AllocSetContextCreateInternal(
                    context,
                    c"veraflat row".as_ptr(),
                    pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                    pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                    pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
                );
                (null_mut(), context)
            } else {
                let executor = pg_sys::CreateExecutorState();
                let expression = pg_sys::MakePerTupleExprContext(executor);
                (executor, (*expression).ecxt_per_tuple_memory)
            };
            let slot = pg_sys::MakeSingleTupleTableSlot((*heap).rd_att, pg_sys::table_slot_callbacks(heap));
            let fetch = pg_sys::table_index_fetch_begin(heap);
            pg_sys::MemoryContextSwitchTo(caller);
            Self { scan, fetch, slot, index_info, column, executor, row_context }
        }
    }

    /// Gives back what is pinned.
    pub(super) fn release(&mut self) {
        // SAFETY: made in `new`.
        unsafe {
            pg_sys::ExecClearTuple(self.slot);
            pg_sys::table_index_fetch_reset(self.fetch);
        }
    }

    /// Gives back everything; the last call.
    pub(super) fn end(self) {
        // SAFETY: made in `new`, and not used any more.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::table_index_fetch_end(self.fetch);
            if !self.executor.is_null() {
                pg_sys::FreeExecutorState(self.executor);
            }
        }
    }
}

impl Fetch for Heap {
    /// The row's distances by the operators of the scan; None if its snapshot does not see it.
    fn fetch(&mut self, tid: Tid) -> Option<Ranked> {
        let mut pointer = value::item_pointer(tid);
        let (mut call_again, mut all_dead) = (false, false);
        // SAFETY: all of it was made for the scan's table in `new`. The value is what the index has, and the operators
        // are those of its column; what they allocate goes with the row's context.
        unsafe {
            let snapshot = (*self.scan).xs_snapshot;
            let found = pg_sys::table_index_fetch_tuple(
                self.fetch,
                &mut pointer,
                snapshot,
                self.slot,
                &mut call_again,
                &mut all_dead,
            );
            if !found {
                return None;
            }
            let caller = pg_sys::MemoryContextSwitchTo(self.row_context);
            if !self.executor.is_null() {
                (*(*self.executor).es_per_tuple_exprcontext).ecxt_scantuple = self.slot;
            }
            let mut values = [pg_sys::Datum::null(); pg_sys::INDEX_MAX_KEYS as usize];
            let mut nulls = [true; pg_sys::INDEX_MAX_KEYS as usize];
            pg_sys::FormIndexDatum(
                self.index_info,
                self.slot,
                self.executor,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
            let count = usize::try_from((*self.scan).numberOfOrderBys).unwrap_or(0);
            let mut places = (0..count).map(|number| {
                let order_by = (*self.scan).orderByData.add(number);
                distance(order_by, values[self.column], nulls[self.column])
            });
            let first = places.next().unwrap_or(Place::of(None));
            let rest = places.collect();
            pg_sys::MemoryContextSwitchTo(caller);
            pg_sys::MemoryContextReset(self.row_context);
            Some(Ranked { first, rest, tid })
        }
    }
}

/// The distance that an operator gives: what it would be without the index.
///
/// # Safety
/// `order_by` is one of a scan's, with the operator's function, and the value is of its left type.
unsafe fn distance(order_by: pg_sys::ScanKey, value: pg_sys::Datum, is_null: bool) -> Place {
    // SAFETY: the caller's. Distance operators are strict and return float8, which amvalidate checks.
    unsafe {
        if is_null || (*order_by).sk_flags & pg_sys::SK_ISNULL.cast_signed() != 0 {
            return Place::of(None);
        }
        let result = pg_sys::FunctionCall2Coll(
            &mut (*order_by).sk_func,
            (*order_by).sk_collation,
            value,
            (*order_by).sk_argument,
        );
        Place::of(Some(f64::from_bits(result.value() as u64)))
    }
}
