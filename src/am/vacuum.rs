//! VACUUM: one pass over the directory pages.

use std::ffi::c_void;

use pgrx::{check_for_interrupts, pg_guard, pg_sys};
use vera_vec_core::codes::RowState;
use vera_vec_core::page::{Directory, DirectoryMut, Layout, PageError, ScanPage, ScanPageMut, Tid};

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

fn vacuum(index: Index, mut is_dead: impl FnMut(Tid) -> bool) -> Counts {
    let meta = index.meta();
    let layout = &meta.layout;
    let mut counts = Counts::default();
    let mut with_room = Vec::new();
    let pages = layout.scan_pages(meta.segments);
    for directory in 0..layout.directories(meta.segments) {
        check_for_interrupts!();
        vacuum_delay_point();
        let first_page = directory * layout.directory_span;
        let end_page = (first_page + layout.directory_span).min(pages);
        let slots = read_directory(index, layout, directory, &mut is_dead);
        for (page, slots) in (first_page..end_page).zip(slots.chunks(layout.scan_rows)) {
            let dead: Vec<usize> =
                (0..).zip(slots).filter(|&(_, slot)| *slot == Slot::Dead).map(|(slot, _)| slot).collect();
            if !dead.is_empty() {
                check_for_interrupts!();
                free(index, layout, page, &dead);
            }
            counts.rows += slots.iter().filter(|&&slot| slot == Slot::Live).count() as u64;
            counts.removed += dead.len() as u64;
            if slots.iter().any(|&slot| slot != Slot::Live) {
                with_room.push(layout.scan_block(page));
            }
        }
        // Some at a time, so that the list stays short.
        insert::publish_room(index, with_room.drain(..));
    }
    counts
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Free,
    Live,
    Dead,
}

/// What is in the slots of a directory page.
fn read_directory(
    index: Index,
    layout: &Layout,
    directory: u32,
    is_dead: &mut impl FnMut(Tid) -> bool,
) -> Vec<Slot> {
    let locked = LockedPage::read(index, layout.directory_block(directory), Mode::Share);
    let page = locked.view(|bytes| Directory::new(bytes, layout));
    (0..layout.directory_rows())
        .map(|slot| match page.tid(slot) {
            None => Slot::Free,
            Some(tid) if is_dead(tid) => Slot::Dead,
            Some(_) => Slot::Live,
        })
        .collect()
}

/// Frees slots of a page. Their rows are still there: nobody but VACUUM frees slots, and only one runs at a time.
fn free(index: Index, layout: &Layout, page: u32, slots: &[usize]) {
    let place = layout.place(page, 0);
    let scan_page = LockedPage::read(index, place.scan_block, Mode::Exclusive);
    let directory = LockedPage::read(index, place.directory_block, Mode::Exclusive);
    let states: Vec<_> = {
        let view = scan_page.view(|bytes| ScanPage::new(bytes, layout));
        if slots.iter().any(|&slot| slot >= view.used() || view.state(slot) == RowState::Free) {
            index.report(place.scan_block, &PageError::Impossible("state of a row"));
        }
        slots.iter().map(|&slot| (slot, view.state(slot))).collect()
    };
    let mut change = Change::new(index);
    match ScanPageMut::new(change.page(&scan_page), layout) {
        Ok(mut page) => states.into_iter().for_each(|(slot, state)| page.free(slot, state)),
        Err(error) => index.report(place.scan_block, &error),
    }
    match DirectoryMut::new(change.page(&directory), layout) {
        Ok(mut page) => slots.iter().for_each(|&slot| page.free(place.directory_slot + slot)),
        Err(error) => index.report(place.directory_block, &error),
    }
    change.commit();
}
