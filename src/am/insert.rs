//! Inserting one row.

use pgrx::{PgSqlErrorCode, check_for_interrupts, pg_guard, pg_sys};
use vera_vec_core::codes::{EncodedRow, Encoder};
use vera_vec_core::keys::Key;
use vera_vec_core::page::{
    DirectoryMut, FinePageMut, Layout, Meta, Page, PageError, ScanPage, ScanPageMut, Segment, Summary,
    SummaryMut, Tid,
};

use super::columns::Columns;
use super::value;
use crate::error;
use crate::postgres::{self, Scratch};
use crate::storage::{Change, Index, LockedPage, Mode};

/// What the inserts of one statement share.
struct Inserter {
    columns: Columns,
    encoder: Encoder,
    row: EncodedRow,
    keys: Vec<Key>,
    /// For what key functions allocate.
    scratch: Scratch,
}

/// Adds a row. Returns false: the index knows no uniqueness.
#[pg_guard]
#[allow(clippy::too_many_arguments)] // PostgreSQL's
pub(super) unsafe extern "C-unwind" fn aminsert(
    relation: pg_sys::Relation,
    values: *mut pg_sys::Datum,
    isnull: *mut bool,
    heap_tid: pg_sys::ItemPointer,
    _heap: pg_sys::Relation,
    _check_unique: pg_sys::IndexUniqueCheck::Type,
    _index_unchanged: bool,
    index_info: *mut pg_sys::IndexInfo,
) -> bool {
    // SAFETY: PostgreSQL gives an open index of this access method, locked, and a TID.
    let (index, tid) = unsafe { (Index::new(relation), value::tid(heap_tid)) };
    // SAFETY: ii_AmCache is null or what was put there below; ii_Context lives as long as it, and not longer than the index is
    // open.
    let inserter = unsafe {
        if (*index_info).ii_AmCache.is_null() {
            let meta = index.meta();
            let inserter = Inserter {
                columns: Columns::of(relation),
                encoder: Encoder::new(meta.layout.kind, index.center(&meta)),
                row: EncodedRow::new(meta.layout.dimensions),
                keys: Vec::new(),
                scratch: Scratch::new((*index_info).ii_Context),
            };
            let inserter =
                pgrx::PgMemoryContexts::For((*index_info).ii_Context).leak_and_drop_on_delete(inserter);
            (*index_info).ii_AmCache = inserter.cast();
        }
        &mut *(*index_info).ii_AmCache.cast::<Inserter>()
    };
    let column = inserter.columns.vector;
    // SAFETY: PostgreSQL gives a value for each column.
    let vector = unsafe {
        inserter.keys.clear();
        inserter.scratch.run(|| inserter.keys.extend(inserter.columns.keys(values, isnull)));
        value::vector(*values.add(column), *isnull.add(column))
    };
    if let Some(vector) = &vector {
        value::check_dimensions(inserter.encoder.dimensions(), vector);
    }
    insert(index, inserter, vector.as_deref(), tid);
    false
}

fn insert(index: Index, inserter: &mut Inserter, vector: Option<&[f32]>, tid: Tid) {
    inserter.encoder.encode(vector, &mut inserter.row);
    let layout = Layout::new(inserter.encoder.kind(), inserter.encoder.dimensions(), inserter.keys.len());
    let mut failed = None;
    loop {
        check_for_interrupts!();
        let block = target_block(index, &layout, failed);
        // A page that another backend has is not waited for, unless the free space map has no other.
        let page = if failed == Some(block) {
            LockedPage::read(index, block, Mode::Exclusive)
        } else {
            match LockedPage::try_exclusive(index, block) {
                Some(page) => page,
                None => {
                    failed = Some(block);
                    continue;
                }
            }
        };
        let slot = page.view(|bytes| ScanPage::new(bytes, &layout)).free_slot();
        let Some(slot) = slot else {
            drop(page);
            forget_target(index, block);
            continue;
        };
        put(index, &layout, &page, slot, inserter, tid);
        let is_full = !page.view(|bytes| ScanPage::new(bytes, &layout)).has_room();
        drop(page);
        if is_full {
            forget_target(index, block);
        } else {
            set_target(index, block);
        }
        return;
    }
}

/// Puts a row into a slot of a scan page, and what belongs elsewhere there, in one record.
fn put(index: Index, layout: &Layout, scan_page: &LockedPage, slot: usize, inserter: &Inserter, tid: Tid) {
    // The block was checked to be a scan page's when it was chosen.
    let Some((_, number)) = layout.page_at(scan_page.block(), layout.most_segments()) else {
        index.report(scan_page.block(), &PageError::Kind)
    };
    let Inserter { row, keys, .. } = inserter;
    let place = layout.place(number, slot);
    let fine_page = LockedPage::read(index, place.fine_block, Mode::Exclusive);
    let directory = LockedPage::read(index, place.directory_block, Mode::Exclusive);
    let summary = summary_to_widen(index, layout, Layout::segment_of_page(number), keys);
    // Who reads one of these pages after this finds the row, and who has read them before has a lock that is found.
    // SAFETY: the relation is open.
    unsafe { postgres::check_for_conflict_in(index.relation()) };
    let mut change = Change::new(index);
    match ScanPageMut::new(change.page(scan_page), layout) {
        Ok(mut page) => page.put(slot, row),
        Err(error) => index.report(place.scan_block, &error),
    }
    match FinePageMut::new(change.page(&fine_page), layout) {
        Ok(mut page) => page.put(place.fine_slot, row),
        Err(error) => index.report(place.fine_block, &error),
    }
    match DirectoryMut::new(change.page(&directory), layout) {
        Ok(mut page) => page.put(place.directory_slot, tid, keys),
        Err(error) => index.report(place.directory_block, &error),
    }
    if let Some((summary, entry)) = &summary {
        match SummaryMut::new(change.page(summary), layout) {
            Ok(mut page) => page.widen(*entry, keys),
            Err(error) => index.report(summary.block(), &error),
        }
    }
    change.commit();
}

/// The summary page of a segment, locked, and the segment's entry there, if its ranges do not have these keys.
fn summary_to_widen(
    index: Index,
    layout: &Layout,
    segment: u32,
    keys: &[Key],
) -> Option<(LockedPage, usize)> {
    let (block, entry) = layout.summary(segment)?;
    let has = |page: &LockedPage| page.view(|bytes| Summary::new(bytes, layout)).has(entry, keys);
    // Ranges only ever grow: what one has it keeps. After the first rows of a segment that is nearly always so.
    if has(&LockedPage::read(index, block, Mode::Share)) {
        return None;
    }
    let page = LockedPage::read(index, block, Mode::Exclusive);
    (!has(&page)).then_some((page, entry))
}

/// What the free space map knows of a page: whether a row fits.
const ROOM: usize = pg_sys::BLCKSZ as usize / 2;

/// Makes the free space map's upper levels know of scan pages with room among some blocks.
pub(super) fn publish_room(index: Index, blocks: impl Iterator<Item = u32>) {
    let (mut first, mut end) = (u32::MAX, 0);
    for block in blocks {
        // SAFETY: the relation is open.
        unsafe { pg_sys::RecordPageWithFreeSpace(index.relation(), block, ROOM) };
        first = first.min(block);
        end = end.max(block + 1);
    }
    if first < end {
        // SAFETY: the relation is open.
        unsafe { pg_sys::FreeSpaceMapVacuumRange(index.relation(), first, end) };
    }
}

/// A scan page with room, as far as is known.
fn target_block(index: Index, layout: &Layout, failed: Option<u32>) -> u32 {
    let relation = index.relation();
    // SAFETY: the relation is open.
    let remembered = unsafe { (*pg_sys::RelationGetSmgr(relation)).smgr_targblock };
    if remembered != pg_sys::InvalidBlockNumber && failed.is_none() {
        // Truncation resets the target block, and nothing else takes a segment away.
        return remembered;
    }
    free_block(index, layout).unwrap_or_else(|| add_segment(index, layout))
}

/// A scan page that the free space map says has room.
fn free_block(index: Index, layout: &Layout) -> Option<u32> {
    loop {
        // SAFETY: the relation is open.
        let block = unsafe { pg_sys::GetPageWithFreeSpace(index.relation(), ROOM) };
        if block == pg_sys::InvalidBlockNumber {
            return None;
        }
        // The map is not crash-safe: it may say anything.
        if layout.page_at(block, index.meta().segments).is_some() {
            return Some(block);
        }
        forget_target(index, block);
    }
}

fn set_target(index: Index, block: u32) {
    // SAFETY: the relation is open.
    unsafe { (*pg_sys::RelationGetSmgr(index.relation())).smgr_targblock = block };
}

/// Notes that a page has no room.
fn forget_target(index: Index, block: u32) {
    set_target(index, pg_sys::InvalidBlockNumber);
    // SAFETY: the relation is open.
    unsafe { pg_sys::RecordPageWithFreeSpace(index.relation(), block, 0) };
}

/// Adds a segment of empty pages, and returns its first scan page; or finds that another backend has just done so.
///
/// Pages first, then block 0, which says that they are there. A crash in between leaves pages that nobody knows of,
/// and the next segment takes.
fn add_segment(index: Index, layout: &Layout) -> u32 {
    let relation = index.relation();
    let lock = pg_sys::ExclusiveLock.cast_signed();
    // SAFETY: the relation is open. PostgreSQL releases the lock if an error ends the transaction.
    unsafe { pg_sys::LockRelationForExtension(relation, lock) };
    if let Some(block) = free_block(index, layout) {
        // SAFETY: locked above.
        unsafe { pg_sys::UnlockRelationForExtension(relation, lock) };
        return block;
    }
    let meta: Meta = index.meta();
    if meta.segments >= layout.most_segments() {
        error::raise(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!(
                "index \"{}\" cannot have more than {} pages of rows",
                index.name(),
                layout.scan_pages(meta.segments)
            ),
        );
    }
    let segment = layout.segment(meta.segments);
    let blocks: Vec<u32> = (segment.first_block..segment.end_block()).collect();
    let mut end = index.blocks();
    for group in blocks.chunks(Change::MOST) {
        let pages: Vec<LockedPage> = group
            .iter()
            .map(|&block| {
                if block < end {
                    LockedPage::read(index, block, Mode::Exclusive)
                } else {
                    end = block + 1;
                    LockedPage::extend(index)
                }
            })
            .collect();
        let mut change = Change::new(index);
        for page in &pages {
            init_page(layout, &segment, page.block(), change.new_page(page));
        }
        change.commit();
    }
    {
        let page = LockedPage::read(index, 0, Mode::Exclusive);
        page.view(Meta::read);
        let mut change = Change::new(index);
        Meta::write_segments(change.page(&page), meta.segments + 1);
        change.commit();
    }
    publish_room(index, segment.scan_blocks());
    // SAFETY: locked above.
    unsafe { pg_sys::UnlockRelationForExtension(relation, lock) };
    segment.first_block
}

/// Makes an empty page of the kind that a segment has in some block.
pub(super) fn init_page(layout: &Layout, segment: &Segment, block: u32, page: &mut Page) {
    if segment.scan_blocks().contains(&block) {
        ScanPageMut::init(page, layout);
    } else if segment.fine_blocks().contains(&block) {
        FinePageMut::init(page, layout);
    } else if segment.directory_blocks().contains(&block) {
        DirectoryMut::init(page, layout);
    } else {
        SummaryMut::init(page, layout);
    }
}
