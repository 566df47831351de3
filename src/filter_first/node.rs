//! The executor's node.

use std::ffi::c_void;
use std::ptr::null_mut;

use pgrx::{PgMemoryContexts, PgSqlErrorCode, check_for_interrupts, pg_guard, pg_sys};
use vera_vec_core::Metric;
use vera_vec_core::codes::{Encoder, Query};
use vera_vec_core::keys::KeyConditions;
use vera_vec_core::page::Tid;
use vera_vec_core::ranking::{Place, Ranked, Ranking, Table as _};
use vera_vec_core::search::SearchStats;
use vera_vec_core::tid_set::TidSet;
use vera_vec_core::within::{Limits, Within};

use super::explain::explain;
use super::limits::Side;
use super::private::Private;
use super::{NAME, bitmap, keys};
use crate::am::columns::Columns;
use crate::am::source::{Fetch, ScannedRows, Source, Wanted};
use crate::am::{cost, metric_of, value};
use crate::storage::Index;
use crate::{error, operators, postgres};

unsafe extern "C-unwind" {
    /// src/backend/executor/nodeIndexscan.c, which pgrx does not bind. Only within a guard.
    fn ExecIndexBuildScanKeys(
        state: *mut pg_sys::PlanState,
        index: pg_sys::Relation,
        conditions: *mut pg_sys::List,
        is_order_by: bool,
        keys: *mut *mut pg_sys::ScanKeyData,
        key_count: *mut i32,
        runtime_keys: *mut *mut pg_sys::IndexRuntimeKeyInfo,
        runtime_key_count: *mut i32,
        array_keys: *mut *mut c_void,
        array_key_count: *mut i32,
    );
    /// The same.
    fn ExecIndexEvalRuntimeKeys(
        context: *mut pg_sys::ExprContext,
        runtime_keys: *mut pg_sys::IndexRuntimeKeyInfo,
        count: i32,
    );
}

/// Methods that PostgreSQL calls; constants.
struct Constant<T>(T);

// SAFETY: constants, and functions that anybody may call; only raw pointers to constant strings keep it from being Sync.
unsafe impl<T> Sync for Constant<T> {}

static SCAN_METHODS: Constant<pg_sys::CustomScanMethods> =
    Constant(pg_sys::CustomScanMethods { CustomName: NAME.as_ptr(), CreateCustomScanState: Some(create) });

static EXEC_METHODS: Constant<pg_sys::CustomExecMethods> = Constant(pg_sys::CustomExecMethods {
    CustomName: NAME.as_ptr(),
    BeginCustomScan: Some(begin),
    ExecCustomScan: Some(exec),
    EndCustomScan: Some(end),
    ReScanCustomScan: Some(rescan),
    MarkPosCustomScan: None,
    RestrPosCustomScan: None,
    EstimateDSMCustomScan: None,
    InitializeDSMCustomScan: None,
    ReInitializeDSMCustomScan: None,
    InitializeWorkerCustomScan: None,
    ShutdownCustomScan: None,
    ExplainCustomScan: Some(explain),
});

pub(super) fn register() {
    // SAFETY: a constant.
    unsafe { pg_sys::RegisterCustomScanMethods(&raw const SCAN_METHODS.0) };
}

pub(super) fn scan_methods() -> *const pg_sys::CustomScanMethods {
    &raw const SCAN_METHODS.0
}

/// The node's state as PostgreSQL sees it, and what is behind it.
#[repr(C)]
pub(super) struct State {
    custom: pg_sys::CustomScanState,
    /// Null while there is only an EXPLAIN.
    pub(super) scan: *mut FilterFirst,
}

/// What a scan keeps between calls.
pub(super) struct FilterFirst {
    index: pg_sys::Relation,
    metric: Metric,
    /// That of the distance.
    operator: pg_sys::Oid,
    is_ordered: bool,
    /// Whether a row that is certain to be within the limits, and visible, need not be fetched.
    asks_limits_only: bool,
    /// The query's side of the first order.
    argument: *mut pg_sys::ExprState,
    limits: Vec<(*mut pg_sys::ExprState, Side)>,
    keys: ScanKeys,
    table: Table,
    visibility: Visibility,
    encoder: Option<Encoder>,
    /// None until the first row is asked for.
    running: Option<Running>,
    pub(super) counts: Counts,
}

/// What a scan has done, for EXPLAIN.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) found: u64,
    pub(super) found_blocks: u64,
    pub(super) fetched: u64,
    pub(super) decided: u64,
    pub(super) bounded: SearchStats,
}

/// Conditions on keys, as the executor prepares them for an index scan.
struct ScanKeys {
    keys: *mut pg_sys::ScanKeyData,
    count: i32,
    /// Those whose argument has to be computed when the scan starts.
    runtime: *mut pg_sys::IndexRuntimeKeyInfo,
    runtime_count: i32,
}

impl ScanKeys {
    /// # Safety
    /// The scan's state, an open index, and conditions that [`Private`] has.
    unsafe fn new(
        state: *mut pg_sys::PlanState,
        index: pg_sys::Relation,
        conditions: &[(*mut pg_sys::Node, u32)],
    ) -> Self {
        let (mut keys, mut count, mut runtime, mut runtime_count) = (null_mut(), 0, null_mut(), 0);
        // SAFETY: the caller's; the access method takes arrays, so that there are no array keys.
        unsafe {
            let list = conditions.iter().fold(null_mut(), |list, &(condition, column)| {
                let condition = keys::of_index_column(condition, (*index).rd_id, column);
                pg_sys::lappend(list, condition.cast())
            });
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                ExecIndexBuildScanKeys(
                    state,
                    index,
                    list,
                    false,
                    &mut keys,
                    &mut count,
                    &mut runtime,
                    &mut runtime_count,
                    null_mut(),
                    null_mut(),
                );
            });
        }
        Self { keys, count, runtime, runtime_count }
    }

    /// What they say of keys now.
    ///
    /// # Safety
    /// As long as the scan is open; arguments are computed in the context's memory.
    unsafe fn conditions(
        &self,
        index: pg_sys::Relation,
        context: *mut pg_sys::ExprContext,
    ) -> Option<KeyConditions> {
        let count = usize::try_from(self.count).ok().filter(|&count| count > 0)?;
        // SAFETY: the caller's; there are as many keys.
        let conditions = unsafe {
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                ExecIndexEvalRuntimeKeys(context, self.runtime, self.runtime_count);
            });
            let caller = pg_sys::MemoryContextSwitchTo((*context).ecxt_per_tuple_memory);
            let keys = std::slice::from_raw_parts(self.keys, count);
            let conditions = Columns::of(index).conditions(keys);
            pg_sys::MemoryContextSwitchTo(caller);
            conditions
        };
        (!conditions.is_empty()).then_some(conditions)
    }
}

/// Which of the table's pages are visible to all.
struct Visibility {
    table: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    /// A page of the visibility map, or none.
    buffer: pg_sys::Buffer,
}

impl Visibility {
    /// Whether all rows of a page are visible, now and to the scan's snapshot.
    fn is_all_visible(&mut self, block: u32) -> bool {
        // SAFETY: an open table; the buffer is none, or one that the map has pinned.
        let status = unsafe { pg_sys::visibilitymap_get_status(self.table, block, &mut self.buffer) };
        u32::from(status) & pg_sys::VISIBILITYMAP_ALL_VISIBLE != 0
    }

    /// Tells SERIALIZABLE transactions of a page that was not read because it need not be.
    fn read_unseen(&self, block: u32) {
        let (table, snapshot) = (self.table, self.snapshot);
        // SAFETY: an open table, and the executor's snapshot.
        unsafe { postgres::predicate_lock_page(table, block, snapshot) };
    }

    fn release(&mut self) {
        if self.buffer != 0 {
            // SAFETY: pinned by the map.
            unsafe { pg_sys::ReleaseBuffer(self.buffer) };
            self.buffer = 0;
        }
    }
}

/// A scan under way.
enum Running {
    /// Rows that are so few that all have been fetched.
    Fetched(std::vec::IntoIter<Ranked>),
    Bounded(Box<BoundedRows>),
}

/// Rows that are looked at by their codes.
struct BoundedRows {
    /// None is all.
    wanted: Option<TidSet>,
    keys: Option<KeyConditions>,
    limits: Limits,
    query: Query,
    rows: ScannedRows,
    order: Order,
}

#[allow(clippy::large_enum_variant)] // in a box with the rest
enum Order {
    /// By their distances.
    Ranking(Ranking),
    /// None.
    Within(Within),
}

/// What fetching rows needs.
struct Table {
    state: *mut pg_sys::CustomScanState,
    fetch: *mut pg_sys::IndexFetchTableData,
    conditions: *mut pg_sys::ExprState,
    orders: Vec<*mut pg_sys::ExprState>,
    fetched: u64,
}

impl Table {
    /// Brings a row into the scan's slot; false if the snapshot does not see it, or it does not meet the conditions.
    fn find_wanted(&mut self, tid: Tid) -> bool {
        if !self.find(tid) {
            return false;
        }
        self.fetched += 1;
        // SAFETY: made by `begin`; expressions are those of the plan, over the scan's slot. What they allocate goes with the
        // row's context.
        unsafe {
            let context = (*self.state).ss.ps.ps_ExprContext;
            (*context).ecxt_scantuple = (*self.state).ss.ss_ScanTupleSlot;
            let is_wanted = self.conditions.is_null() || pg_sys::ExecQual(self.conditions, context);
            if !is_wanted {
                if let Some(counts) = (*self.state).ss.ps.instrument.as_mut() {
                    counts.nfiltered1 += 1.0;
                }
                pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            }
            is_wanted
        }
    }

    /// Brings a row into the scan's slot; false if the snapshot does not see it.
    fn find(&mut self, tid: Tid) -> bool {
        let mut pointer = value::item_pointer(tid);
        let (mut call_again, mut all_dead) = (false, false);
        // SAFETY: all of it was made for the scan's table by `begin`.
        unsafe {
            let snapshot = (*(*self.state).ss.ps.state).es_snapshot;
            let slot = (*self.state).ss.ss_ScanTupleSlot;
            pg_sys::table_index_fetch_tuple(
                self.fetch,
                &mut pointer,
                snapshot,
                slot,
                &mut call_again,
                &mut all_dead,
            )
        }
    }
}

impl Fetch for Table {
    /// The row's distances by the query's operators; None if the snapshot does not see it, or it does not meet the
    /// conditions, which are asked first.
    fn fetch(&mut self, tid: Tid) -> Option<Ranked> {
        check_for_interrupts!();
        if !self.find_wanted(tid) {
            return None;
        }
        // SAFETY: as above. Operators that order return float8, which amvalidate checks; nothing else is kept.
        unsafe {
            let context = (*self.state).ss.ps.ps_ExprContext;
            let mut places = self.orders.iter().map(|&order| {
                let mut is_null = false;
                let distance = pg_sys::ExecEvalExprSwitchContext(order, context, &mut is_null);
                Place::of((!is_null).then(|| f64::from_bits(distance.value() as u64)))
            });
            let first = places.next().unwrap_or(Place::of(None));
            let row = Ranked { first, rest: places.collect(), tid };
            pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            Some(row)
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn create(_plan: *mut pg_sys::CustomScan) -> *mut pg_sys::Node {
    // SAFETY: zeros are a state without anything; the tag says what it is.
    unsafe {
        let state = pg_sys::palloc0(size_of::<State>()).cast::<State>();
        (*state).custom.ss.ps.type_ = pg_sys::NodeTag::T_CustomScanState;
        (*state).custom.methods = &raw const EXEC_METHODS.0;
        state.cast()
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn begin(
    node: *mut pg_sys::CustomScanState,
    estate: *mut pg_sys::EState,
    flags: i32,
) {
    // SAFETY: PostgreSQL gives the state that `create` has made, with an open table, and the plan that `plan` has made.
    unsafe {
        let scan = &mut (*node).ss;
        let plan = scan.ps.plan.cast::<pg_sys::CustomScan>();
        let table = scan.ss_currentRelation;
        // Rows come as the table has them. PostgreSQL has prepared expressions for others; with them go their subplans.
        scan.ps.subPlan = null_mut();
        pg_sys::ExecInitScanTupleSlot(estate, scan, (*table).rd_att, pg_sys::table_slot_callbacks(table));
        #[allow(clippy::cast_possible_wrap)] // a range table's index
        pg_sys::ExecAssignScanProjectionInfoWithVarno(scan, (*plan).scan.scanrelid.cast_signed());
        // ExecScan is not to ask them again. EXPLAIN looks at the plan's.
        scan.ps.qual = null_mut();
        let conditions = pg_sys::ExecInitQual((*plan).scan.plan.qual, &mut scan.ps);
        let child = (*plan).scan.plan.lefttree;
        if !child.is_null() {
            scan.ps.lefttree = pg_sys::ExecInitNode(child, estate, flags);
        }
        if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY.cast_signed() != 0 {
            return;
        }
        let private = Private::read(&*plan);
        let first = private.orders[0].cast::<pg_sys::OpExpr>();
        let argument = (*(*(*first).args).elements.add(1)).ptr_value.cast::<pg_sys::Node>();
        let lock = (*pg_sys::exec_rt_fetch((*plan).scan.scanrelid, estate)).rellockmode;
        let index = pg_sys::index_open(private.index, lock);
        let (mut strategy, mut left, mut right) = (0, pg_sys::InvalidOid, pg_sys::InvalidOid);
        let family = *(*index).rd_opfamily.add(Columns::of(index).vector);
        pg_sys::get_op_opfamily_properties((*first).opno, family, true, &mut strategy, &mut left, &mut right);
        let Some(metric) = u16::try_from(strategy).ok().and_then(metric_of) else {
            error::raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, format!("unknown strategy {strategy}"))
        };
        let ps = &raw mut (*node).ss.ps;
        let prepare = |expression: *mut pg_sys::Node| pg_sys::ExecInitExpr(expression.cast(), ps);
        let own = FilterFirst {
            index,
            metric,
            operator: (*first).opno,
            is_ordered: private.is_ordered,
            asks_limits_only: private.asks_limits_only && !may_be_current_of_cursor(estate),
            argument: prepare(argument),
            limits: private.limits.iter().map(|&(value, side)| (prepare(value), side)).collect(),
            keys: ScanKeys::new(ps, index, &private.keys),
            table: Table {
                state: node,
                fetch: pg_sys::table_index_fetch_begin(table),
                conditions,
                orders: private.orders.iter().map(|&order| prepare(order)).collect(),
                fetched: 0,
            },
            visibility: Visibility { table, snapshot: (*estate).es_snapshot, buffer: 0 },
            encoder: None,
            running: None,
            counts: Counts::default(),
        };
        (*node.cast::<State>()).scan =
            PgMemoryContexts::For((*estate).es_query_cxt).leak_and_drop_on_delete(own);
    }
}

/// Whether somebody may ask `WHERE CURRENT OF` a cursor, for which a row must be where it is: the statement is a cursor's, and
/// gives rows of the table.
///
/// # Safety
/// The state of a statement that is being started.
unsafe fn may_be_current_of_cursor(estate: *const pg_sys::EState) -> bool {
    // SAFETY: the caller's; a portal, if there is one, has a name, which is empty for statements that are not cursors.
    unsafe {
        let portal = pg_sys::ActivePortal;
        let is_aggregate = (*(*(*estate).es_plannedstmt).planTree).type_ == pg_sys::NodeTag::T_Agg;
        !is_aggregate && !portal.is_null() && *(*portal).name != 0
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn exec(node: *mut pg_sys::CustomScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: PostgreSQL gives a state that `begin` has prepared. ExecScan projects what `next` gives.
    unsafe { pg_sys::ExecScan(&mut (*node).ss, Some(next), Some(recheck)) }
}

/// Brings the next row into the scan's slot, which is empty after the last.
#[pg_guard]
unsafe extern "C-unwind" fn next(node: *mut pg_sys::ScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the state is what `exec` was called with; nothing else uses what is behind it meanwhile.
    unsafe {
        let slot = (*node).ss_ScanTupleSlot;
        let own = &mut *(*node.cast::<State>()).scan;
        let mut running = match own.running.take() {
            Some(running) => running,
            None => own.start(node),
        };
        let has_row = match &mut running {
            // It was there a moment ago, and the snapshot is the same.
            Running::Fetched(rows) => rows.next().is_some_and(|row| own.table.find(row.tid)),
            Running::Bounded(bounded) => own.next_bounded(bounded, slot),
        };
        own.counts.fetched = own.table.fetched;
        postgres::check_snapshot_age(own.index, (*(*node).ps.state).es_snapshot);
        own.running = Some(running);
        if !has_row {
            pg_sys::ExecClearTuple(slot);
        }
        slot
    }
}

/// Whether a row that has changed meanwhile, and is in the scan's slot, still meets the conditions.
#[pg_guard]
unsafe extern "C-unwind" fn recheck(node: *mut pg_sys::ScanState, slot: *mut pg_sys::TupleTableSlot) -> bool {
    // SAFETY: as above.
    unsafe {
        let conditions = (*(*node.cast::<State>()).scan).table.conditions;
        let context = (*node).ps.ps_ExprContext;
        (*context).ecxt_scantuple = slot;
        conditions.is_null() || pg_sys::ExecQual(conditions, context)
    }
}

impl FilterFirst {
    /// Brings the next row into the scan's slot, if there is one.
    ///
    /// # Safety
    /// The slot is the scan's.
    unsafe fn next_bounded(&mut self, bounded: &mut BoundedRows, slot: *mut pg_sys::TupleTableSlot) -> bool {
        let BoundedRows { wanted, keys, limits, query, rows, order } = bounded;
        let mut source = Source {
            // SAFETY: opened by `begin`.
            index: unsafe { Index::new(self.index) },
            query,
            rows,
            wanted: Wanted { tids: wanted.as_ref(), keys: keys.as_ref() },
            start: limits.start,
            table: &mut self.table,
            has_one_order: false,
        };
        match order {
            Order::Ranking(ranking) => {
                let row = ranking.next(&mut source);
                self.counts.bounded = ranking.stats();
                // As above.
                row.is_some_and(|row| self.table.find(row.tid))
            }
            Order::Within(scan) => loop {
                check_for_interrupts!();
                let found = scan.next(&mut source);
                self.counts.bounded = scan.stats();
                let Some(found) = found else { return false };
                let Some(tid) = source.tid(found.ordinal) else { continue };
                // In this order: ARCHITECTURE.md, "Rows that are not fetched".
                if self.asks_limits_only
                    && found.is_certain
                    && self.visibility.is_all_visible(tid.block)
                    && source.tid(found.ordinal) == Some(tid)
                {
                    self.visibility.read_unseen(tid.block);
                    self.counts.decided += 1;
                    // SAFETY: the caller's; nobody asks for a column of it.
                    unsafe { pg_sys::ExecStoreAllNullTuple(slot) };
                    return true;
                }
                if source.table.find_wanted(tid) {
                    return true;
                }
            },
        }
    }

    /// # Safety
    /// The node is the one that this belongs to.
    unsafe fn start(&mut self, node: *mut pg_sys::ScanState) -> Running {
        // SAFETY: the caller's; the child, if there is one, is a node that makes a bitmap.
        let wanted = unsafe {
            let child = (*node).ps.lefttree;
            (!child.is_null()).then(|| bitmap::take(pg_sys::MultiExecProcNode(child).cast()))
        };
        // SAFETY: opened by `begin`.
        let index = unsafe { Index::new(self.index) };
        if let Some(wanted) = &wanted {
            let meta = index.meta();
            let pages = meta.layout.scan_pages(meta.segments) as usize;
            self.counts.found = wanted.rows() as u64;
            self.counts.found_blocks = wanted.whole_blocks() as u64;
            if wanted.whole_blocks() == 0 && wanted.rows() <= pages / cost::PAGES_OF_A_ROW {
                let mut rows: Vec<Ranked> =
                    wanted.iter_rows().filter_map(|tid| self.table.fetch(tid)).collect();
                rows.sort_unstable();
                return Running::Fetched(rows.into_iter());
            }
        }
        // Before anything is read that says which rows there are. A bitmap is not enough: a row that is in it may not be in our
        // index yet, and then it is not fetched.
        // SAFETY: as above; the executor has a snapshot.
        unsafe {
            postgres::predicate_lock_relation(self.index, (*(*node).ps.state).es_snapshot);
            postgres::count_index_scan(self.index);
        }
        let meta = index.meta();
        let encoder =
            &*self.encoder.get_or_insert_with(|| Encoder::new(meta.layout.kind, index.center(&meta)));
        // SAFETY: the argument is of the operator's type, and what the distance is compared with a float8; what is computed is used
        // before the context is reset.
        let (query, limits, keys) = unsafe {
            let context = (*node).ps.ps_ExprContext;
            let mut is_null = false;
            let argument = pg_sys::ExecEvalExprSwitchContext(self.argument, context, &mut is_null);
            let error = operators::error_of(pg_sys::get_opcode(self.operator), meta.layout.dimensions);
            let query = Query::new(self.metric, encoder, value::vector(argument, is_null).as_deref(), error);
            let mut limits = Limits::NONE;
            for &(value, side) in &self.limits {
                let value = pg_sys::ExecEvalExprSwitchContext(value, context, &mut is_null);
                side.narrow(&mut limits, (!is_null).then(|| f64::from_bits(value.value() as u64)));
            }
            let keys = self.keys.conditions(self.index, context);
            pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            (query, limits, keys)
        };
        let rows = ScannedRows::new(&meta);
        let order = if self.is_ordered {
            // SAFETY: a setting of PostgreSQL's.
            let memory = usize::try_from(unsafe { pg_sys::work_mem }).unwrap_or(0) * 1024;
            let end = (!self.limits.is_empty()).then_some(limits.end);
            Order::Ranking(Ranking::new(rows.slots(), memory).before(end))
        } else {
            Order::Within(Within::new(limits))
        };
        Running::Bounded(Box::new(BoundedRows { wanted, keys, limits, query, rows, order }))
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn rescan(node: *mut pg_sys::CustomScanState) {
    // SAFETY: PostgreSQL gives a state that `begin` has prepared. A child whose parameters have changed is reset when it
    // runs next.
    unsafe {
        if let Some(own) = (*node.cast::<State>()).scan.as_mut() {
            own.running = None;
            own.visibility.release();
        }
        pg_sys::ExecScanReScan(&mut (*node).ss);
        let child = (*node).ss.ps.lefttree;
        if !child.is_null() && (*child).chgParam.is_null() {
            pg_sys::ExecReScan(child);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn end(node: *mut pg_sys::CustomScanState) {
    // SAFETY: as above. What is behind the state is freed with the query's memory; what others should know of is given
    // back now.
    unsafe {
        // The child, or null.
        pg_sys::ExecEndNode((*node).ss.ps.lefttree);
        if let Some(own) = (*node.cast::<State>()).scan.as_mut() {
            own.running = None;
            own.visibility.release();
            pg_sys::ExecClearTuple((*node).ss.ss_ScanTupleSlot);
            pg_sys::table_index_fetch_end(own.table.fetch);
            pg_sys::index_close(own.index, pg_sys::NoLock.cast_signed());
        }
    }
}
