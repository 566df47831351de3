//! Changes under write-ahead log.

use pgrx::pg_sys;
use vera_vec_core::page::{self, Page};

use super::{Index, LockedPage};

const MOST_PAGES: usize = pg_sys::MAX_GENERIC_XLOG_PAGES as usize;

/// One generic WAL record: all of its pages change, or none of them.
///
/// Pages are changed in copies, which [`Self::commit`] puts into the buffers; dropping a change without it leaves
/// everything as it was.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    state: *mut pg_sys::GenericXLogState,
    pages: [Option<(&'a LockedPage, *mut Page)>; MOST_PAGES],
}

impl<'a> Change<'a> {
    /// Pages that one record can have.
    pub(crate) const MOST: usize = MOST_PAGES;

    pub(crate) fn new(index: Index) -> Self {
        // SAFETY: the relation is open.
        let state = unsafe { pg_sys::GenericXLogStart(index.relation()) };
        Self { state, pages: [None; MOST_PAGES] }
    }

    /// The copy of a page, which is locked exclusively. At most [`Self::MOST`] different ones.
    ///
    /// Ends the statement if the page is damaged: [`Self::commit`] would give it a seal, and hide that for ever.
    pub(crate) fn page(&mut self, locked: &'a LockedPage) -> &mut Page {
        locked.view(|_| Ok(()));
        self.register(locked, 0)
    }

    /// The same for a page that is made anew, and has to be logged as a whole.
    pub(crate) fn new_page(&mut self, locked: &'a LockedPage) -> &mut Page {
        self.register(locked, pg_sys::GENERIC_XLOG_FULL_IMAGE.cast_signed())
    }

    fn register(&mut self, locked: &'a LockedPage, flags: i32) -> &mut Page {
        // SAFETY: the change has been started, and the buffer is pinned and locked exclusively; PostgreSQL raises an
        // ERROR if there are too many pages. The copy is a page, and there until the change ends.
        unsafe {
            let copy = pg_sys::GenericXLogRegisterBuffer(self.state, locked.buffer(), flags).cast::<Page>();
            if let Some(free) = self.pages.iter_mut().find(|page| page.is_none()) {
                *free = Some((locked, copy));
            }
            &mut *copy
        }
    }

    /// Seals the pages, logs the change and makes it.
    pub(crate) fn commit(mut self) {
        for &(locked, copy) in self.pages.iter().flatten() {
            // SAFETY: the copies are there until the change ends, and nothing else refers to them.
            page::seal(unsafe { &mut *copy }, locked.block());
        }
        let state = std::mem::replace(&mut self.state, std::ptr::null_mut());
        // SAFETY: started in `new`, and not ended before.
        unsafe { pg_sys::GenericXLogFinish(state) };
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        // After an error its memory goes with the memory context.
        if !self.state.is_null() && !std::thread::panicking() {
            // SAFETY: started in `new`, and not ended before.
            unsafe { pg_sys::GenericXLogAbort(self.state) }
        }
    }
}
