//! Scans: rows in the order of lower bounds of their distances.

use std::cell::Cell;

use pgrx::{PgSqlErrorCode, check_for_interrupts, pg_guard, pg_sys};
use vera_vec_core::codes::{Encoder, Query, Refined};
use vera_vec_core::page::{FinePage, Layout, Meta, Page, PageError, RowPlace, ScanPage, Tid};
use vera_vec_core::ranking::{Place, Ranked, Ranking, Table};
use vera_vec_core::search::{Hit, Rows, SearchStats};

use super::heap::Heap;
use super::{metric_of, value};
use crate::error;
use crate::storage::{Index, PageVisitor, Reader};

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
    _keys: pg_sys::ScanKey,
    _key_count: i32,
    order_bys: pg_sys::ScanKey,
    order_by_count: i32,
) {
    // SAFETY: the scan is one that ambeginscan has made; there are as many order-bys as it has room for.
    unsafe {
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
    let (Some(Running { query, rows, ranking }), Some(heap)) = (&mut state.running, &mut state.heap) else {
        return false;
    };
    // SAFETY: as above.
    let orders = usize::try_from(unsafe { (*scan).numberOfOrderBys }).unwrap_or(0);
    let row = ranking.next(&mut Source { index, query, rows, heap: &mut *heap, orders });
    heap.release();
    LAST_SCAN.set(ScanStats { search: ranking.stats(), pages_read: rows.pages_read });
    let Some(row) = row else { return false };
    // SAFETY: as above; there is room for as many values as there are orders.
    unsafe {
        (*scan).xs_heaptid = value::item_pointer(row.tid);
        (*scan).xs_recheck = false;
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
    let meta = index.meta();
    let encoder = &*state.encoder.get_or_insert_with(|| Encoder::new(meta.layout.kind, index.center(&meta)));
    let is_null = order_by.sk_flags & pg_sys::SK_ISNULL.cast_signed() != 0;
    // SAFETY: the executor gives an argument of the operator's type, there until the scan is started again.
    let vector = unsafe { value::vector(order_by.sk_argument, is_null) };
    let query = Query::new(metric, encoder, vector.as_deref());
    // SAFETY: a setting of PostgreSQL's.
    let memory = usize::try_from(unsafe { pg_sys::work_mem }).unwrap_or(0) * 1024;
    let rows = ScannedRows::new(&meta);
    // SAFETY: the caller's; the executor gives a table with its snapshot.
    state.heap.get_or_insert_with(|| unsafe { Heap::new(scan, state.context) });
    Running { query, ranking: Ranking::new(rows.slots(), memory), rows }
}

/// The rows of an index that a scan looks at: those that were there when it was started.
#[derive(Debug)]
struct ScannedRows {
    layout: Layout,
    segments: u32,
    pages_read: u64,
    /// Room for the keys of a page, and for blocks to visit.
    keys: Vec<i32>,
    blocks: Vec<u32>,
    /// Room for the places of rows that are refined, and for the codes of one.
    places: Vec<RowPlace>,
    codes: Vec<u8>,
}

impl ScannedRows {
    fn new(meta: &Meta) -> Self {
        Self {
            layout: meta.layout,
            segments: meta.segments,
            pages_read: 0,
            keys: Vec::new(),
            blocks: Vec::new(),
            places: Vec::new(),
            codes: Vec::new(),
        }
    }

    fn slots(&self) -> u32 {
        self.layout.ordinal(self.layout.scan_pages(self.segments), 0)
    }

    /// The block after the last that belongs to these rows.
    fn end_block(&self) -> u32 {
        self.layout.segment(self.segments).first_block
    }
}

/// Pages that are visited at a time: some tens of microseconds. Across segments, so that the first page of one is fetched
/// while the last of another is read.
const RUN: usize = 128;

/// What a ranking sees of them.
struct Source<'a> {
    index: Index,
    query: &'a mut Query,
    rows: &'a mut ScannedRows,
    heap: &'a mut Heap,
    /// Orders of the query.
    orders: usize,
}

/// Bounds all rows of each page.
struct CoarsePass<'a> {
    layout: &'a Layout,
    query: &'a mut Query,
    keys: &'a mut Vec<i32>,
    sink: &'a mut dyn FnMut(u32, &[i32]),
    /// The number of the scan page that comes next.
    page: u32,
}

impl PageVisitor for CoarsePass<'_> {
    fn visit(&mut self, _block: u32, page: &Page, next: *const u8) -> Result<(), PageError> {
        let view = ScanPage::of_any_kind(page, self.layout)?;
        self.keys.clear();
        self.query.coarse_keys(&view, next, self.keys);
        view.check_kind()?;
        (self.sink)(self.layout.ordinal(self.page, 0), self.keys);
        self.page += 1;
        Ok(())
    }
}

/// Refines rows: visits the scan page of each, and then its fine page.
struct Refinement<'a> {
    layout: &'a Layout,
    query: &'a mut Query,
    places: std::slice::Iter<'a, RowPlace>,
    hits: &'a mut Vec<Hit>,
    /// What the scan page said of the row whose fine page comes next.
    codes: &'a mut Vec<u8>,
    waiting: Option<Waiting>,
}

struct Waiting {
    fine_slot: usize,
    tid: Tid,
    constants: [f32; 5],
    /// The key, if the row's state says it.
    key: Option<i32>,
}

impl Refinement<'_> {
    fn visit_scan_page(&mut self, page: &Page) -> Result<(), PageError> {
        let view = ScanPage::new(page, self.layout)?;
        let Some(place) = self.places.next().filter(|place| place.slot < view.used()) else {
            return Err(PageError::Impossible("number of rows"));
        };
        self.codes.clear();
        self.codes.extend_from_slice(view.coarse_code(place.slot));
        self.waiting = Some(Waiting {
            fine_slot: place.fine_slot,
            tid: view.tid(place.slot),
            constants: view.row_constants(place.slot),
            key: self.query.key_of_state(view.state(place.slot)),
        });
        Ok(())
    }

    fn visit_fine_page(&mut self, page: &Page, row: &Waiting) -> Result<(), PageError> {
        let view = FinePage::new(page, self.layout)?;
        let Some((fine, fine_constants)) = view.row(row.fine_slot) else {
            return Err(PageError::Impossible("number of rows"));
        };
        let key = row.key.unwrap_or_else(|| {
            let Waiting { constants, .. } = *row;
            self.query.fine_key(&Refined { constants, fine_constants, coarse: self.codes, fine })
        });
        if key != Query::FREE {
            self.hits.push(Hit { key, tid: row.tid });
        }
        Ok(())
    }
}

impl PageVisitor for Refinement<'_> {
    fn visit(&mut self, _block: u32, page: &Page, _next: *const u8) -> Result<(), PageError> {
        match self.waiting.take() {
            None => self.visit_scan_page(page),
            Some(row) => self.visit_fine_page(page, &row),
        }
    }
}

impl Rows for Source<'_> {
    fn slots(&self) -> u32 {
        self.rows.slots()
    }

    fn coarse_keys(&mut self, sink: &mut dyn FnMut(u32, &[i32])) {
        let rows = &mut *self.rows;
        let mut reader = Reader::new(self.index, rows.end_block());
        let mut pass =
            CoarsePass { layout: &rows.layout, query: &mut *self.query, keys: &mut rows.keys, sink, page: 0 };
        let mut blocks = Vec::new();
        for number in 0..rows.segments {
            blocks.extend(rows.layout.segment(number).scan_blocks());
            if blocks.len() >= RUN || number + 1 == rows.segments {
                check_for_interrupts!();
                reader.visit(&blocks, &mut pass);
                blocks.clear();
            }
        }
        rows.pages_read += reader.pages_read();
    }

    fn refine(&mut self, ordinals: &[u32], hits: &mut Vec<Hit>) {
        check_for_interrupts!();
        let rows = &mut *self.rows;
        let layout = rows.layout;
        let mut reader = Reader::new(self.index, rows.end_block());
        rows.places.clear();
        rows.places.extend(ordinals.iter().map(|&ordinal| {
            let (page, slot) = layout.slot_at(ordinal);
            layout.place(page, slot)
        }));
        for place in &rows.places {
            reader.prefetch(place.scan_block, layout.scan_lines(place.slot));
            reader.prefetch(place.fine_block, layout.fine_lines(place.fine_slot));
        }
        rows.blocks.clear();
        rows.blocks.extend(rows.places.iter().flat_map(|place| [place.scan_block, place.fine_block]));
        let mut refinement = Refinement {
            layout: &layout,
            query: &mut *self.query,
            places: rows.places.iter(),
            hits,
            codes: &mut rows.codes,
            waiting: None,
        };
        reader.visit(&rows.blocks, &mut refinement);
        rows.pages_read += reader.pages_read();
    }
}

impl Table for Source<'_> {
    fn fetch(&mut self, tid: Tid) -> Option<Ranked> {
        check_for_interrupts!();
        self.heap.fetch(tid)
    }

    fn place(&self, key: i32) -> Place {
        Place::of(self.query.distance(key))
    }

    fn has_one_order(&self) -> bool {
        self.orders == 1
    }
}
