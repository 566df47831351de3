//! SQL functions that look into an index: `veraflat_index_info`, `veraflat_check`, `veraflat_scan_stats`.

use std::ffi::c_void;

use pgrx::prelude::*;
use pgrx::{PgSqlErrorCode, check_for_interrupts, pg_sys};
use vera_vec_core::codes::{CodeKind, EncodedRow, Encoder, RowState};
use vera_vec_core::keys::Key;
use vera_vec_core::page::{
    CenterPage, Directory, FORMAT_VERSION, FinePage, Layout, Meta, PAGE_SIZE, PageError, ScanPage, Summary,
    Tid,
};

use super::columns::Columns;
use super::{scan, value};
use crate::error;
use crate::postgres::Scratch;
use crate::storage::{Index, LockedPage, Mode, report_corrupted};

/// An index and its table, open and locked as for reading.
struct Opened {
    index: Index,
    heap: pg_sys::Relation,
}

const LOCK: i32 = pg_sys::AccessShareLock.cast_signed();

type BuildFunction = unsafe extern "C-unwind" fn(
    pg_sys::Relation,
    pg_sys::Relation,
    *mut pg_sys::IndexInfo,
) -> *mut pg_sys::IndexBuildResult;

/// Whether an access method is this one, by its function for building.
fn is_ours(build: BuildFunction) -> bool {
    std::ptr::fn_addr_eq(build, super::build::ambuild as BuildFunction)
}

impl Opened {
    /// Ends the statement if the relation is not an index of this access method that can be read.
    fn new(oid: pg_sys::Oid) -> Self {
        // SAFETY: what is not an index has no table, so nothing is opened that is not one.
        let heap_oid = unsafe { pg_sys::IndexGetRelation(oid, true) };
        if heap_oid == pg_sys::InvalidOid {
            // SAFETY: returns null if there is no such relation, else a copy of its name.
            let name = unsafe { pg_sys::get_rel_name(oid) };
            if name.is_null() {
                error::raise(
                    PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                    format!("relation with OID {} does not exist", oid.to_u32()),
                );
            }
            // SAFETY: as above.
            let name = unsafe { std::ffi::CStr::from_ptr(name) }.to_string_lossy();
            error::raise(PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE, format!("\"{name}\" is not an index"));
        }
        // SAFETY: PostgreSQL opens and locks both, the table first, as everybody does.
        let opened = unsafe {
            let heap = pg_sys::table_open(heap_oid, LOCK);
            Self { index: Index::new(pg_sys::relation_open(oid, LOCK)), heap }
        };
        let relation = opened.index.relation();
        // SAFETY: open.
        let (kind, method, is_valid, is_others) = unsafe {
            let is_index = (*(*relation).rd_rel).relkind.to_ne_bytes() == [pg_sys::RELKIND_INDEX];
            (
                is_index,
                is_index && (*(*relation).rd_indam).ambuild.is_some_and(is_ours),
                is_index && (*(*relation).rd_index).indisvalid,
                (*(*relation).rd_rel).relpersistence.to_ne_bytes() == [pg_sys::RELPERSISTENCE_TEMP]
                    && !(*relation).rd_islocaltemp,
            )
        };
        let name = opened.index.name();
        if !kind || !method {
            error::raise(
                PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
                format!("\"{name}\" is not a veraflat index"),
            );
        }
        if is_others {
            error::raise(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                format!("cannot access temporary index \"{name}\" of another session"),
            );
        }
        if !is_valid {
            error::raise(
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("index \"{name}\" is not valid"),
            );
        }
        opened
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened in `new`; locks are kept until the transaction ends, as everybody does.
            unsafe {
                pg_sys::relation_close(self.index.relation(), pg_sys::NoLock.cast_signed());
                pg_sys::table_close(self.heap, pg_sys::NoLock.cast_signed());
            }
        }
    }
}

fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is in an index; reads all of its scan pages.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)] // a row
fn veraflat_index_info(
    index: pg_sys::Oid,
) -> TableIterator<
    'static,
    (
        name!(format_version, i32),
        name!(built_by, String),
        name!(codes, String),
        name!(dimensions, i32),
        name!(key_columns, i32),
        name!(rows, i64),
        name!(free_slots, i64),
        name!(segments, i64),
        name!(scan_bytes, i64),
        name!(fine_bytes, i64),
        name!(directory_bytes, i64),
        name!(other_bytes, i64),
    ),
> {
    let opened = Opened::new(index);
    let meta = opened.index.meta();
    let layout = &meta.layout;
    let (mut rows, mut slots, mut scan_pages, mut fine_pages, mut directory_pages) = (0, 0, 0, 0, 0);
    for number in 0..meta.segments {
        let segment = layout.segment(number);
        for block in segment.scan_blocks() {
            check_for_interrupts!();
            let locked = LockedPage::read(opened.index, block, Mode::Share);
            rows += locked.view(|bytes| ScanPage::new(bytes, layout)).live() as u64;
        }
        slots += u64::from(segment.scan_pages) * layout.scan_rows as u64;
        scan_pages += u64::from(segment.scan_pages);
        fine_pages += u64::from(segment.fine_pages);
        directory_pages += u64::from(segment.directory_pages);
    }
    let bytes = |pages: u64| bigint(pages * PAGE_SIZE as u64);
    let [major, minor, patch] = meta.created_by;
    let codes = match layout.kind {
        CodeKind::Rotated => "rotated",
        CodeKind::Taxicab => "taxicab",
    };
    TableIterator::once((
        i32::try_from(FORMAT_VERSION).unwrap_or(i32::MAX),
        format!("{major}.{minor}.{patch}"),
        codes.to_owned(),
        i32::try_from(layout.dimensions).unwrap_or(i32::MAX),
        i32::try_from(layout.keys).unwrap_or(i32::MAX),
        bigint(rows),
        bigint(slots - rows),
        i64::from(meta.segments),
        bytes(scan_pages),
        bytes(fine_pages),
        bytes(directory_pages),
        bytes(u64::from(opened.index.blocks()) - scan_pages - fine_pages - directory_pages),
    ))
}

/// What the last index scan of this session did.
#[pg_extern(sql = false)]
fn veraflat_scan_stats() -> TableIterator<
    'static,
    (
        name!(rows_bounded, i64),
        name!(rows_refined, i64),
        name!(rows_returned, i64),
        name!(passes, i64),
        name!(pages_read, i64),
    ),
> {
    let stats = scan::last_scan();
    TableIterator::once((
        bigint(stats.search.bounded),
        bigint(stats.search.refined),
        bigint(stats.search.returned),
        bigint(stats.search.passes),
        bigint(stats.pages_read),
    ))
}

/// Ends the statement if something is wrong with an index. Memory: 16 bytes for each of its rows.
///
/// Every page is checked. With `heapallindexed`, so is that every row of the table that this transaction can see is in
/// the index exactly once, with constants from which the proof of its bounds follows.
#[pg_extern(sql = false)]
fn veraflat_check(index: pg_sys::Oid, heapallindexed: bool) {
    let opened = Opened::new(index);
    let index = opened.index;
    let meta = index.meta();
    let entries = check_pages(index, &meta);
    if !heapallindexed {
        return;
    }
    let center = index.center(&meta);
    let mut check = HeapCheck {
        index,
        encoder: Encoder::new(meta.layout.kind, center),
        layout: meta.layout,
        // SAFETY: the index is open.
        columns: unsafe { Columns::of(index.relation()) },
        found: Found { row: EncodedRow::new(meta.layout.dimensions), keys: Vec::new() },
        keys: Vec::new(),
        entries,
        missing: Vec::new(),
        // SAFETY: that of the statement.
        scratch: unsafe { Scratch::new(pg_sys::CurrentMemoryContext) },
    };
    // SAFETY: both are open. The callback gets the check, and nothing else uses it meanwhile. As in CREATE INDEX
    // CONCURRENTLY, rows are those that a snapshot sees.
    unsafe {
        let info = pg_sys::BuildIndexInfo(index.relation());
        (*info).ii_Concurrent = true;
        (*info).ii_Unique = false;
        pg_sys::table_index_build_scan(
            opened.heap,
            index.relation(),
            info,
            true,
            false,
            Some(check_row),
            std::ptr::from_mut(&mut check).cast(),
            std::ptr::null_mut(),
        );
    }
    if check.missing.is_empty() {
        return;
    }
    // These came, or moved to other slots, after the index was read. Our statement's snapshot keeps VACUUM from
    // removing any of them.
    let entries = check_pages(index, &index.meta());
    if let Some(tid) = check.missing.iter().find(|tid| find(&entries, **tid).is_none()) {
        report_row(index, *tid, "is not in the index");
    }
}

/// A row of the index: where its table row is, and its ordinal. Sorted by the first.
type Entry = (Tid, u32);

fn find(entries: &[Entry], tid: Tid) -> Option<u32> {
    entries.binary_search_by_key(&tid, |&(tid, _)| tid).ok().map(|found| entries[found].1)
}

/// Checks every page, and that no TID is there twice. Returns the rows, sorted.
fn check_pages(index: Index, meta: &Meta) -> Vec<Entry> {
    let layout = &meta.layout;
    let mut entries = Vec::new();
    for number in 0..layout.center_blocks() {
        let mut center = Vec::new();
        LockedPage::read(index, 1 + number, Mode::Share)
            .view(|bytes| CenterPage::read(bytes, layout, number, &mut center));
    }
    for number in 0..meta.segments {
        let segment = layout.segment(number);
        for (block, page) in segment.scan_blocks().zip(segment.first_page..) {
            check_for_interrupts!();
            check_page(index, layout, block, page, &mut entries);
        }
        for block in segment.fine_blocks() {
            check_for_interrupts!();
            let locked = LockedPage::read(index, block, Mode::Share);
            locked.view(|bytes| FinePage::new(bytes, layout));
        }
        for block in segment.directory_blocks() {
            let locked = LockedPage::read(index, block, Mode::Share);
            locked.view(|bytes| Directory::new(bytes, layout));
        }
        for block in segment.summary_blocks() {
            let locked = LockedPage::read(index, block, Mode::Share);
            locked.view(|bytes| Summary::new(bytes, layout));
        }
    }
    entries.sort_unstable();
    for pair in entries.windows(2) {
        if let [(tid, first), (other, second)] = *pair
            && tid == other
            // Not if VACUUM has freed one and the other was inserted while pages were read.
            && [first, second].into_iter().all(|ordinal| read_slot(index, layout, ordinal, None) == Some(tid))
        {
            report_row(index, tid, "is in the index twice");
        }
    }
    entries
}

/// Checks a scan page, and what its directory page says of its slots. Adds its rows.
fn check_page(index: Index, layout: &Layout, block: u32, page: u32, entries: &mut Vec<Entry>) {
    let place = layout.place(page, 0);
    // Both under lock, in the order of every change.
    let locked = LockedPage::read(index, block, Mode::Share);
    let view = locked.view(|bytes| {
        let view = ScanPage::new(bytes, layout)?;
        view.check_states()?;
        Ok(view)
    });
    let directory_page = LockedPage::read(index, place.directory_block, Mode::Share);
    let directory = directory_page.view(|bytes| Directory::new(bytes, layout));
    let states = view.states().chain(std::iter::repeat(RowState::Free));
    for (slot, state) in (0..layout.scan_rows).zip(states) {
        let tid = directory.tid(place.directory_slot + slot);
        if tid.is_none() != (state == RowState::Free) {
            index.report(place.directory_block, &PageError::Impossible("row in a free slot"));
        }
        let ordinal = layout.ordinal(page, slot);
        entries.extend(tid.map(|tid| (tid, ordinal)));
    }
}

/// Reads a row from its slot: returns its TID, and fills `row`. None if the slot is free.
fn read_slot(index: Index, layout: &Layout, ordinal: u32, row: Option<&mut Found>) -> Option<Tid> {
    let (page, slot) = layout.slot_at(ordinal);
    let place = layout.place(page, slot);
    let locked = LockedPage::read(index, place.directory_block, Mode::Share);
    let directory = locked.view(|bytes| Directory::new(bytes, layout));
    let tid = directory.tid(place.directory_slot)?;
    let Some(Found { row, keys }) = row else { return Some(tid) };
    keys.clear();
    keys.extend((0..layout.keys).map(|column| directory.keys(column)[place.directory_slot]));
    drop(locked);
    let locked = LockedPage::read(index, place.scan_block, Mode::Share);
    let view = locked.view(|bytes| ScanPage::new(bytes, layout));
    if slot >= view.used() || view.state(slot) == RowState::Free {
        return None;
    }
    row.state = view.state(slot);
    row.constants = view.row_constants(slot);
    row.coarse.copy_from_slice(view.coarse_code(slot));
    drop(locked);
    let locked = LockedPage::read(index, place.fine_block, Mode::Share);
    let view = locked.view(|bytes| FinePage::new(bytes, layout));
    let Some((fine, constants)) = view.row(place.fine_slot) else {
        index.report(place.fine_block, &PageError::Impossible("number of rows"))
    };
    row.fine.copy_from_slice(fine);
    row.fine_constants = constants;
    Some(tid)
}

/// What the index has of a row.
struct Found {
    row: EncodedRow,
    keys: Vec<Key>,
}

/// Compares rows of the table with the index.
struct HeapCheck {
    index: Index,
    encoder: Encoder,
    layout: Layout,
    columns: Columns,
    found: Found,
    /// Room for the keys that it should have.
    keys: Vec<Key>,
    /// For what key functions allocate.
    scratch: Scratch,
    entries: Vec<Entry>,
    missing: Vec<Tid>,
}

/// # Safety
/// Called by `table_index_build_scan` with a [`HeapCheck`].
#[pg_guard]
unsafe extern "C-unwind" fn check_row(
    _index: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut pg_sys::Datum,
    isnull: *mut bool,
    _tuple_is_alive: bool,
    state: *mut c_void,
) {
    // SAFETY: the caller's, who gives a value for each column.
    let (check, vector, tid) = unsafe {
        let check = &mut *state.cast::<HeapCheck>();
        let column = check.columns.vector;
        check.keys.clear();
        check.scratch.run(|| check.keys.extend(check.columns.keys(values, isnull)));
        (check, value::vector(*values.add(column), *isnull.add(column)), value::tid(tid))
    };
    check_for_interrupts!();
    if let Some(vector) = &vector {
        value::check_dimensions(check.layout.dimensions, vector);
    }
    let ordinal = find(&check.entries, tid);
    let (index, layout) = (check.index, &check.layout);
    let found = ordinal.and_then(|ordinal| read_slot(index, layout, ordinal, Some(&mut check.found)));
    if found != Some(tid) {
        check.missing.push(tid);
        return;
    }
    if let Err(violation) = check.encoder.verify(vector.as_deref(), &mut check.found.row) {
        report_row(index, tid, &format!("has a wrong code: {violation}"));
    }
    if check.found.keys != check.keys {
        report_row(index, tid, "has a wrong key");
    }
    if let Some((page, _)) = ordinal.map(|ordinal| layout.slot_at(ordinal))
        && let Some((block, entry)) = layout.summary(Layout::segment_of_page(page))
        && !LockedPage::read(index, block, Mode::Share)
            .view(|bytes| Summary::new(bytes, layout))
            .has(entry, &check.keys)
    {
        report_row(index, tid, "has a key that its segment's summary does not have");
    }
}

fn report_row(index: Index, tid: Tid, what: &str) -> ! {
    report_corrupted(
        index,
        "does not match its table",
        Some(format!("Row ({},{}) {what}.", tid.block, tid.offset)),
    )
}
