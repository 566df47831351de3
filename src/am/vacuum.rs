//! VACUUM: one pass over the scan pages.

use std::ffi::c_void;

use pgrx::{check_for_interrupts, pg_guard, pg_sys};
use vera_vec_core::codes::RowState;
use vera_vec_core::page::{Layout, ScanPage, ScanPageMut};

use super::{insert, value};
use crate::postgres::vacuum_delay_point;
use crate::storage::{Change, Index, LockedPage, Mode};

/// Frees the slots of rows that `callback` says are dead.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn ambulkdelete(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
    callback: pg_sys::IndexBulkDeleteCallback,
    callback_state: *mut c_void,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: PostgreSQL gives an open index of this access method.
    let index = unsafe { Index::new((*info).index) };
    let Some(callback) = callback else { return stats };
    let counts = vacuum(index, |tid| {
        let mut pointer = value::item_pointer(tid);
        // SAFETY: PostgreSQL's callback, with its state; it looks the TID up in memory, or notes it.
        unsafe { callback(&mut pointer, callback_state) }
    });
    // SAFETY: stats is null or what an earlier call has returned.
    unsafe { counts.report(index, stats) }
}

/// Counts rows and finds free slots, if VACUUM had nothing to delete.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn amvacuumcleanup(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: PostgreSQL gives an open index of this access method; stats is null or what ambulkdelete has returned.
    unsafe {
        if (*info).analyze_only || !stats.is_null() {
            return stats;
        }
        let index = Index::new((*info).index);
        vacuum(index, |_| false).report(index, stats)
    }
}

#[derive(Debug, Default)]
struct Counts {
    rows: u64,
    removed: u64,
}

impl Counts {
    /// # Safety
    /// `stats` is null or PostgreSQL's.
    #[allow(clippy::cast_precision_loss)] // PostgreSQL counts rows in floating point
    unsafe fn report(
        &self,
        index: Index,
        stats: *mut pg_sys::IndexBulkDeleteResult,
    ) -> *mut pg_sys::IndexBulkDeleteResult {
        // SAFETY: the caller's; a new one is allocated in the caller's memory context.
        unsafe {
            let stats = if stats.is_null() {
                pg_sys::palloc0(size_of::<pg_sys::IndexBulkDeleteResult>())
                    .cast::<pg_sys::IndexBulkDeleteResult>()
            } else {
                stats
            };
            (*stats).num_pages = index.blocks();
            (*stats).estimated_count = false;
            (*stats).num_index_tuples = self.rows as f64;
            (*stats).tuples_removed += self.removed as f64;
            stats
        }
    }
}

fn vacuum(index: Index, mut is_dead: impl FnMut(vera_vec_core::page::Tid) -> bool) -> Counts {
    let meta = index.meta();
    let mut counts = Counts::default();
    let mut with_room = Vec::new();
    for number in 0..meta.segments {
        for block in meta.layout.segment(number).scan_blocks() {
            check_for_interrupts!();
            vacuum_delay_point();
            if vacuum_page(index, &meta.layout, block, &mut counts, &mut is_dead) {
                with_room.push(block);
            }
        }
        // A segment at a time, so that the list stays short.
        insert::publish_room(index, with_room.drain(..));
    }
    counts
}

/// Returns whether another row fits the page.
fn vacuum_page(
    index: Index,
    layout: &Layout,
    block: u32,
    counts: &mut Counts,
    is_dead: &mut impl FnMut(vera_vec_core::page::Tid) -> bool,
) -> bool {
    let locked = LockedPage::read(index, block, Mode::Exclusive);
    let page = locked.view(|bytes| ScanPage::new(bytes, layout));
    let dead: Vec<(usize, RowState)> = page
        .states()
        .enumerate()
        .filter(|&(slot, state)| state != RowState::Free && is_dead(page.tid(slot)))
        .collect();
    counts.rows += (page.live() - dead.len()) as u64;
    counts.removed += dead.len() as u64;
    let has_room = page.has_room() || !dead.is_empty();
    if !dead.is_empty() {
        let mut change = Change::new(index);
        match ScanPageMut::new(change.page(&locked), layout) {
            Ok(mut page) => dead.into_iter().for_each(|(slot, state)| page.free(slot, state)),
            Err(error) => index.report(block, &error),
        }
        change.commit();
    }
    has_room
}
