//! The executor's node.

use std::ffi::CString;
use std::ptr::null_mut;

use pgrx::{PgMemoryContexts, PgSqlErrorCode, check_for_interrupts, pg_guard, pg_sys};
use vera_vec_core::Metric;
use vera_vec_core::codes::{Encoder, Query};
use vera_vec_core::page::Tid;
use vera_vec_core::ranking::{Place, Ranked, Ranking};
use vera_vec_core::search::SearchStats;
use vera_vec_core::tid_set::TidSet;

use super::{NAME, bitmap};
use crate::am::columns::Columns;
use crate::am::source::{Fetch, ScannedRows, Source, Wanted};
use crate::am::{cost, metric_of, value};
use crate::error;
use crate::storage::Index;

unsafe extern "C-unwind" {
    /// src/backend/storage/lmgr/predicate.c, which pgrx does not bind. Only within a guard.
    fn PredicateLockRelation(relation: pg_sys::Relation, snapshot: pg_sys::Snapshot);
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

/// What a plan says that is ours.
pub(super) struct Private {
    pub(super) index: pg_sys::Oid,
    /// A list of the orders' distances.
    pub(super) order_bys: *mut pg_sys::List,
    /// What the first distance is to be below, and whether it may be just that.
    pub(super) radius: Option<(*mut pg_sys::Node, bool)>,
}

impl Private {
    /// Puts it into a plan, copied: expressions where PostgreSQL finds them, and the rest as a list of OIDs.
    ///
    /// # Safety
    /// Nodes of the planner's.
    pub(super) unsafe fn write(&self, scan: &mut pg_sys::CustomScan) {
        // SAFETY: the caller's.
        unsafe {
            let expressions: *mut pg_sys::List = pg_sys::copyObjectImpl(self.order_bys.cast()).cast();
            let kind = match self.radius {
                None => 0,
                Some((_, is_included)) => 1 + u32::from(is_included),
            };
            scan.custom_exprs = match self.radius {
                None => expressions,
                Some((limit, _)) => {
                    pg_sys::lappend(expressions, pg_sys::copyObjectImpl(limit.cast_const().cast()))
                }
            };
            let numbers = pg_sys::lappend_oid(null_mut(), self.index);
            scan.custom_private = pg_sys::lappend_oid(numbers, pg_sys::Oid::from(kind));
        }
    }

    /// Reads it.
    ///
    /// # Safety
    /// A plan that `write` has made, through whatever PostgreSQL does with plans.
    unsafe fn read(scan: &pg_sys::CustomScan) -> PrivateView {
        // SAFETY: the caller's.
        unsafe {
            let number = |index: usize| (*(*scan.custom_private).elements.add(index)).oid_value;
            let count = usize::try_from((*scan.custom_exprs).length).unwrap_or(0);
            let mut expressions: Vec<*mut pg_sys::Expr> = (0..count)
                .map(|index| (*(*scan.custom_exprs).elements.add(index)).ptr_value.cast())
                .collect();
            let kind = number(1).to_u32();
            let radius = if kind == 0 { None } else { expressions.pop().map(|limit| (limit, kind == 2)) };
            PrivateView { index: number(0), order_bys: expressions, radius }
        }
    }
}

/// The same, read.
struct PrivateView {
    index: pg_sys::Oid,
    order_bys: Vec<*mut pg_sys::Expr>,
    radius: Option<(*mut pg_sys::Expr, bool)>,
}

/// The node's state as PostgreSQL sees it, and what is behind it.
#[repr(C)]
struct State {
    custom: pg_sys::CustomScanState,
    /// Null while there is only an EXPLAIN.
    scan: *mut FilterFirst,
}

/// What a scan keeps between calls.
struct FilterFirst {
    index: pg_sys::Relation,
    metric: Metric,
    /// The query's side of the first order.
    argument: *mut pg_sys::ExprState,
    /// What its distance is to be below, if anything; and whether it may be just that.
    radius: Option<(*mut pg_sys::ExprState, bool)>,
    table: Table,
    encoder: Option<Encoder>,
    /// None until the first row is asked for.
    running: Option<Running>,
    found: u64,
    found_blocks: u64,
    bounded: SearchStats,
}

/// A scan under way.
enum Running {
    /// Rows that are so few that all have been fetched.
    Fetched(std::vec::IntoIter<Ranked>),
    Ranked(Box<RankedRows>),
}

/// Rows that are ranked by the bounds of their codes.
struct RankedRows {
    /// None is all.
    wanted: Option<TidSet>,
    query: Query,
    rows: ScannedRows,
    ranking: Ranking,
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
        if !self.find(tid) {
            return None;
        }
        self.fetched += 1;
        // SAFETY: made by `begin`; expressions are those of the plan, over the scan's slot. Operators that order return
        // float8, which amvalidate checks. What they allocate goes with the row's context, and nothing in it is kept.
        unsafe {
            let context = (*self.state).ss.ps.ps_ExprContext;
            (*context).ecxt_scantuple = (*self.state).ss.ss_ScanTupleSlot;
            let row = if self.conditions.is_null() || pg_sys::ExecQual(self.conditions, context) {
                let mut places = self.orders.iter().map(|&order| {
                    let mut is_null = false;
                    let distance = pg_sys::ExecEvalExprSwitchContext(order, context, &mut is_null);
                    Place::of((!is_null).then(|| f64::from_bits(distance.value() as u64)))
                });
                let first = places.next().unwrap_or(Place::of(None));
                Some(Ranked { first, rest: places.collect(), tid })
            } else {
                if let Some(counts) = (*self.state).ss.ps.instrument.as_mut() {
                    counts.nfiltered1 += 1.0;
                }
                None
            };
            pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            row
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
        let first = private.order_bys[0].cast::<pg_sys::OpExpr>();
        let argument = (*(*(*first).args).elements.add(1)).ptr_value.cast::<pg_sys::Expr>();
        let lock = (*pg_sys::exec_rt_fetch((*plan).scan.scanrelid, estate)).rellockmode;
        let index = pg_sys::index_open(private.index, lock);
        let (mut strategy, mut left, mut right) = (0, pg_sys::InvalidOid, pg_sys::InvalidOid);
        let family = *(*index).rd_opfamily.add(Columns::of(index).vector);
        pg_sys::get_op_opfamily_properties((*first).opno, family, true, &mut strategy, &mut left, &mut right);
        let Some(metric) = u16::try_from(strategy).ok().and_then(metric_of) else {
            error::raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, format!("unknown strategy {strategy}"))
        };
        let ps = &raw mut (*node).ss.ps;
        let own = FilterFirst {
            index,
            metric,
            argument: pg_sys::ExecInitExpr(argument, ps),
            radius: private.radius.map(|(limit, is_included)| (pg_sys::ExecInitExpr(limit, ps), is_included)),
            table: Table {
                state: node,
                fetch: pg_sys::table_index_fetch_begin(table),
                conditions,
                orders: private.order_bys.iter().map(|&order| pg_sys::ExecInitExpr(order, ps)).collect(),
                fetched: 0,
            },
            encoder: None,
            running: None,
            found: 0,
            found_blocks: 0,
            bounded: SearchStats::default(),
        };
        (*node.cast::<State>()).scan =
            PgMemoryContexts::For((*estate).es_query_cxt).leak_and_drop_on_delete(own);
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
        let row = match &mut running {
            Running::Fetched(rows) => rows.next(),
            Running::Ranked(found) => {
                let RankedRows { wanted, query, rows, ranking } = &mut **found;
                let row = ranking.next(&mut Source {
                    index: Index::new(own.index),
                    query,
                    rows,
                    wanted: Wanted { tids: wanted.as_ref(), keys: None },
                    table: &mut own.table,
                    has_one_order: false,
                });
                own.bounded = ranking.stats();
                row
            }
        };
        own.running = Some(running);
        // It was there a moment ago, and the snapshot is the same.
        if !row.is_some_and(|row| own.table.find(row.tid)) {
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
    /// # Safety
    /// The node is the one that this belongs to.
    unsafe fn start(&mut self, node: *mut pg_sys::ScanState) -> Running {
        // SAFETY: the caller's; the child, if there is one, is a node that makes a bitmap.
        let wanted = unsafe {
            let child = (*node).ps.lefttree;
            (!child.is_null()).then(|| bitmap::take(pg_sys::MultiExecProcNode(child).cast()))
        };
        if wanted.is_none() {
            // As PostgreSQL does for scans of an index without locks of its own. With a bitmap, that was the child's.
            // SAFETY: opened by `begin`; the executor has a snapshot.
            unsafe {
                let (index, snapshot) = (self.index, (*(*node).ps.state).es_snapshot);
                pg_sys::ffi::pg_guard_ffi_boundary(|| PredicateLockRelation(index, snapshot));
            }
        }
        // SAFETY: opened by `begin`.
        let index = unsafe { Index::new(self.index) };
        let meta = index.meta();
        let pages = meta.layout.scan_pages(meta.segments) as usize;
        if let Some(wanted) = &wanted {
            self.found = wanted.rows() as u64;
            self.found_blocks = wanted.whole_blocks() as u64;
            if wanted.whole_blocks() == 0 && wanted.rows() <= pages / cost::PAGES_OF_A_ROW {
                let mut rows: Vec<Ranked> =
                    wanted.iter_rows().filter_map(|tid| self.table.fetch(tid)).collect();
                rows.sort_unstable();
                return Running::Fetched(rows.into_iter());
            }
        }
        let encoder =
            &*self.encoder.get_or_insert_with(|| Encoder::new(meta.layout.kind, index.center(&meta)));
        // SAFETY: the argument is of the operator's type, and what the distance is compared with a float8; the vector is used
        // before the context is reset.
        let (query, end) = unsafe {
            let context = (*node).ps.ps_ExprContext;
            let mut is_null = false;
            let argument = pg_sys::ExecEvalExprSwitchContext(self.argument, context, &mut is_null);
            let query = Query::new(self.metric, encoder, value::vector(argument, is_null).as_deref());
            let end = self.radius.map(|(limit, is_included)| {
                let limit = pg_sys::ExecEvalExprSwitchContext(limit, context, &mut is_null);
                match Place::of((!is_null).then(|| f64::from_bits(limit.value() as u64))) {
                    // Nothing is comparable with NULL.
                    _ if is_null => Place::of(Some(f64::NEG_INFINITY)),
                    limit if is_included => limit.successor(),
                    limit => limit,
                }
            });
            pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            (query, end)
        };
        // SAFETY: a setting of PostgreSQL's.
        let memory = usize::try_from(unsafe { pg_sys::work_mem }).unwrap_or(0) * 1024;
        let rows = ScannedRows::new(&meta);
        let ranking = Ranking::new(rows.slots(), memory).before(end);
        Running::Ranked(Box::new(RankedRows { wanted, query, rows, ranking }))
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn rescan(node: *mut pg_sys::CustomScanState) {
    // SAFETY: PostgreSQL gives a state that `begin` has prepared. A child whose parameters have changed is reset when it
    // runs next.
    unsafe {
        if let Some(own) = (*node.cast::<State>()).scan.as_mut() {
            own.running = None;
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
            pg_sys::ExecClearTuple((*node).ss.ss_ScanTupleSlot);
            pg_sys::table_index_fetch_end(own.table.fetch);
            pg_sys::index_close(own.index, pg_sys::NoLock.cast_signed());
        }
    }
}

/// Says which index is used, for which order, and with ANALYZE how many rows were found by the bitmap, bounded by their codes,
/// and so on.
#[pg_guard]
unsafe extern "C-unwind" fn explain(
    node: *mut pg_sys::CustomScanState,
    ancestors: *mut pg_sys::List,
    es: *mut pg_sys::ExplainState,
) {
    // SAFETY: PostgreSQL gives a state that `begin` has prepared, with its plan; strings live as long as they are used.
    unsafe {
        let plan = (*node).ss.ps.plan.cast::<pg_sys::CustomScan>();
        let private = Private::read(&*plan);
        let index = pg_sys::get_rel_name(private.index);
        if !index.is_null() {
            pg_sys::ExplainPropertyText(c"Index".as_ptr(), index, es);
        }
        let context = pg_sys::set_deparse_context_plan((*es).deparse_cxt, plan.cast(), ancestors);
        let has_prefix = (*es).verbose || (*(*es).rtable).length > 1;
        let text: Vec<String> = private
            .order_bys
            .iter()
            .map(|order_by| {
                let text = pg_sys::deparse_expression(order_by.cast(), context, has_prefix, false);
                std::ffi::CStr::from_ptr(text).to_string_lossy().into_owned()
            })
            .collect();
        if let Ok(text) = CString::new(text.join(", ")) {
            pg_sys::ExplainPropertyText(c"Order By".as_ptr(), text.as_ptr(), es);
        }
        if let Some(own) = (*node.cast::<State>()).scan.as_ref()
            && (*es).analyze
        {
            let is_text = (*es).format == pg_sys::ExplainFormat::EXPLAIN_FORMAT_TEXT;
            let has_bitmap = !(*node).ss.ps.lefttree.is_null();
            let counts = [
                (c"Rows from Bitmap", own.found, has_bitmap),
                (
                    c"Lossy Heap Blocks from Bitmap",
                    own.found_blocks,
                    own.found_blocks > 0 || !is_text && has_bitmap,
                ),
                (c"Rows Refined", own.bounded.refined, true),
                (c"Rows Fetched", own.table.fetched, true),
            ];
            for (label, count, _) in counts.into_iter().filter(|&(.., is_shown)| is_shown) {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                pg_sys::ExplainPropertyInteger(label.as_ptr(), std::ptr::null(), count, es);
            }
        }
    }
}
