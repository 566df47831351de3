//! One page, pinned and locked.

use std::ptr::null_mut;

use pgrx::pg_sys;
use vera_vec_core::page::{self, Page, PageError};

use super::Index;

/// How a page is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Share,
    Exclusive,
}

impl Mode {
    fn number(self) -> i32 {
        match self {
            Self::Share => pg_sys::BUFFER_LOCK_SHARE.cast_signed(),
            Self::Exclusive => pg_sys::BUFFER_LOCK_EXCLUSIVE.cast_signed(),
        }
    }
}

/// A pinned page under a content lock; both end with it.
///
/// Never kept between calls from the executor, and never in memory that outlives the call.
#[derive(Debug)]
pub(crate) struct LockedPage {
    index: Index,
    block: u32,
    buffer: pg_sys::Buffer,
}

impl LockedPage {
    /// Reads and locks a page of the main fork.
    pub(crate) fn read(index: Index, block: u32, mode: Mode) -> Self {
        let buffer = pin(index, block);
        // SAFETY: the buffer is pinned and this backend has no lock on it.
        unsafe { pg_sys::LockBuffer(buffer, mode.number()) };
        Self { index, block, buffer }
    }

    /// The same, exclusively, if nobody else has a lock on it.
    pub(crate) fn try_exclusive(index: Index, block: u32) -> Option<Self> {
        let buffer = pin(index, block);
        // SAFETY: the buffer is pinned and this backend has no lock on it.
        if unsafe { pg_sys::ConditionalLockBuffer(buffer) } {
            return Some(Self { index, block, buffer });
        }
        // SAFETY: pinned above.
        unsafe { pg_sys::ReleaseBuffer(buffer) };
        None
    }

    /// Adds a page of zeros at the end of the main fork, locked exclusively. The caller has the extension lock, or is
    /// the only one that knows the relation.
    pub(crate) fn extend(index: Index) -> Self {
        // SAFETY: the relation is open; the caller keeps others from extending it.
        let (buffer, block) = unsafe {
            let buffer = pg_sys::ReadBufferExtended(
                index.relation(),
                pg_sys::ForkNumber::MAIN_FORKNUM,
                pg_sys::InvalidBlockNumber,
                pg_sys::ReadBufferMode::RBM_NORMAL,
                null_mut(),
            );
            pg_sys::LockBuffer(buffer, Mode::Exclusive.number());
            (buffer, pg_sys::BufferGetBlockNumber(buffer))
        };
        Self { index, block, buffer }
    }

    pub(crate) fn block(&self) -> u32 {
        self.block
    }

    pub(super) fn buffer(&self) -> pg_sys::Buffer {
        self.buffer
    }

    /// The page's bytes.
    pub(crate) fn page(&self) -> &Page {
        // SAFETY: a pinned buffer's block has that many bytes, and the lock keeps others from changing them.
        unsafe { &*pg_sys::BufferGetBlock(self.buffer).cast::<Page>() }
    }

    /// The page's bytes, for a change that is not logged now: a page of an index that is being built.
    pub(crate) fn page_mut(&mut self) -> &mut Page {
        // SAFETY: as above; the lock is exclusive, because `extend` is the caller.
        let page = unsafe { &mut *pg_sys::BufferGetBlock(self.buffer).cast::<Page>() };
        // SAFETY: pinned and locked exclusively.
        unsafe { pg_sys::MarkBufferDirty(self.buffer) };
        page
    }

    /// A view of the page; ends the statement if it is not what it should be, or its seal does not fit.
    pub(crate) fn view<'a, T>(&'a self, view: impl FnOnce(&'a Page) -> Result<T, PageError>) -> T {
        // The view first: it says if the page is of another format version, which may have other seals.
        view(self.page())
            .and_then(|view| page::check_seal(self.page(), self.block).map(|()| view))
            .unwrap_or_else(|error| self.index.report(self.block, &error))
    }
}

fn pin(index: Index, block: u32) -> pg_sys::Buffer {
    // SAFETY: the relation is open; a block that is not there is an ERROR.
    unsafe {
        pg_sys::ReadBufferExtended(
            index.relation(),
            pg_sys::ForkNumber::MAIN_FORKNUM,
            block,
            pg_sys::ReadBufferMode::RBM_NORMAL,
            null_mut(),
        )
    }
}

impl Drop for LockedPage {
    fn drop(&mut self) {
        // After an error PostgreSQL has reset its count of held-off interrupts, and releases locks and pins itself.
        if !std::thread::panicking() {
            // SAFETY: pinned and locked by this value.
            unsafe { pg_sys::UnlockReleaseBuffer(self.buffer) }
        }
    }
}
