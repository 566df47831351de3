//! Reading many pages fast.
//!
//! With short codes, finding a page's buffer costs as much as computing with it. So the reader remembers, for each
//! backend and index, which buffer had which block; `ReadRecentBuffer` pins that without a look-up, after checking that
//! it still has the block. It pins the next page before it visits one, so that the visitor can have it fetched into
//! cache. And it calls PostgreSQL's functions directly, many of them within one guard against errors: its frames own
//! nothing that an error could jump over.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{null, null_mut};

use pgrx::pg_sys;
use vera_vec_core::codes::kernels::{prefetch, prefetch_for_later};
use vera_vec_core::page::{self, Page, PageError};

use super::Index;

/// PostgreSQL's functions without pgrx's guard; only called within one.
mod direct {
    use pgrx::pg_sys::{BlockNumber, Buffer, BufferAccessStrategy, ForkNumber, ReadBufferMode, Relation};

    #[cfg(feature = "pg15")]
    pub(super) type Locator = pgrx::pg_sys::RelFileNode;
    #[cfg(not(feature = "pg15"))]
    pub(super) type Locator = pgrx::pg_sys::RelFileLocator;

    unsafe extern "C-unwind" {
        pub(super) fn ReadRecentBuffer(
            locator: Locator,
            fork: ForkNumber::Type,
            block: BlockNumber,
            recent: Buffer,
        ) -> bool;
        pub(super) fn ReadBufferExtended(
            relation: Relation,
            fork: ForkNumber::Type,
            block: BlockNumber,
            mode: ReadBufferMode::Type,
            strategy: BufferAccessStrategy,
        ) -> Buffer;
        pub(super) fn LockBuffer(buffer: Buffer, mode: i32);
        pub(super) fn ReleaseBuffer(buffer: Buffer);
    }
}

/// The buffers that blocks of an index were last found in: hints. Lies in the relation's cache entry, where
/// PostgreSQL frees it whenever something about the index may have changed; so it is one chunk of memory.
#[repr(C)]
struct Recent {
    blocks: u32,
    // as many buffers follow
}

/// Looks at pages.
pub(crate) trait PageVisitor {
    /// Called with a page under share lock, and with the address of the page after it, or null. Must not call
    /// PostgreSQL.
    fn visit(&mut self, block: u32, page: &Page, next: *const u8) -> Result<(), PageError>;
}

/// Reads pages of one index.
#[derive(Debug)]
pub(crate) struct Reader {
    index: Index,
    /// Blocks that are remembered: those before this one.
    blocks: u32,
    pages_read: u64,
}

impl Reader {
    /// A reader of the blocks before `end`.
    pub(crate) fn new(index: Index, end: u32) -> Self {
        Self { index, blocks: end, pages_read: 0 }
    }

    /// Pages visited.
    pub(crate) fn pages_read(&self) -> u64 {
        self.pages_read
    }

    /// Has parts of a page fetched into cache, if it is where it was last seen: a hint.
    pub(crate) fn prefetch(&self, block: u32, offsets: impl Iterator<Item = usize>) {
        if block >= self.blocks {
            return;
        }
        let recent = recent_buffers(self.index, self.blocks);
        // SAFETY: there is a hint for the block; a buffer that PostgreSQL has given has an address, which is not read.
        let page = unsafe {
            match *recent.add(block as usize) {
                0 => return,
                buffer => pg_sys::BufferGetBlock(buffer).cast_const().cast::<u8>(),
            }
        };
        offsets.for_each(|offset| prefetch_for_later(page.wrapping_add(offset)));
    }

    /// Visits blocks, in the order given, one under lock at a time.
    ///
    /// Ends the statement if a page is not what its visitor, or its seal, expects.
    pub(crate) fn visit(&mut self, blocks: &[u32], visitor: &mut impl PageVisitor) {
        let mut outcome: std::thread::Result<Result<(), (u32, PageError)>> = Ok(Ok(()));
        let (index, limit) = (self.index, self.blocks);
        // Every time anew: PostgreSQL may have freed them since.
        let recent = recent_buffers(index, limit);
        // SAFETY: on the backend's main thread; the closure's frames own nothing with a destructor (the outcome is
        // outside, and still without a panic's payload when PostgreSQL can raise an error), and panics are caught
        // within.
        unsafe {
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                visit_blocks(index, recent, limit, blocks, visitor, &mut outcome)
            });
        }
        self.pages_read += blocks.len() as u64;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err((block, error))) => self.index.report(block, &error),
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// # Safety
/// Within a guard. `recent` has hints for blocks before `limit`.
unsafe fn visit_blocks<V: PageVisitor>(
    index: Index,
    recent: *mut pg_sys::Buffer,
    limit: u32,
    blocks: &[u32],
    visitor: &mut V,
    outcome: &mut std::thread::Result<Result<(), (u32, PageError)>>,
) {
    const SHARE: i32 = pg_sys::BUFFER_LOCK_SHARE.cast_signed();
    /// To pin and lock a page is to change its descriptor, which is rarely in cache.
    const DESCRIPTORS_AHEAD: usize = 4;
    const UNLOCK: i32 = pg_sys::BUFFER_LOCK_UNLOCK.cast_signed();

    let Some(&first) = blocks.first() else { return };
    // SAFETY: the caller's.
    let mut pinned = unsafe { pin(index, recent, limit, first) };
    for (number, &block) in blocks.iter().enumerate() {
        let (buffer, is_known) = pinned;
        // SAFETY: the buffer is pinned.
        let page = unsafe { &*pg_sys::BufferGetBlock(buffer).cast::<Page>() };
        let mut next = null();
        if let Some(&next_block) = blocks.get(number + 1) {
            // SAFETY: the caller's; and the buffer is pinned.
            unsafe {
                pinned = pin(index, recent, limit, next_block);
                next = pg_sys::BufferGetBlock(pinned.0).cast_const().cast();
            }
        }
        if let Some(&later) = blocks.get(number + DESCRIPTORS_AHEAD)
            && later < limit
        {
            // SAFETY: there is a hint for the block; a buffer's descriptor has an address, which is not read.
            unsafe { prefetch_descriptor(*recent.add(later as usize)) };
        }
        // SAFETY: pinned, and not locked by this backend.
        unsafe { direct::LockBuffer(buffer, SHARE) };
        let result = catch_unwind(AssertUnwindSafe(|| {
            if !is_known {
                page::check_seal(page, block)?;
            }
            visitor.visit(block, page, next)
        }));
        // SAFETY: locked and pinned above.
        unsafe {
            direct::LockBuffer(buffer, UNLOCK);
            direct::ReleaseBuffer(buffer);
        }
        match result {
            Ok(Ok(())) => {
                if !is_known && block < limit {
                    // SAFETY: the caller's.
                    unsafe { *recent.add(block as usize) = buffer };
                }
            }
            failed => {
                if number + 1 < blocks.len() {
                    // SAFETY: pinned above.
                    unsafe { direct::ReleaseBuffer(pinned.0) };
                }
                *outcome = failed.map(|result| result.map_err(|error| (block, error)));
                return;
            }
        }
    }
}

/// Has the descriptor of a shared buffer fetched into cache.
///
/// # Safety
/// `buffer` is one that PostgreSQL has given, or 0.
#[inline]
unsafe fn prefetch_descriptor(buffer: pg_sys::Buffer) {
    if let Ok(number @ 1..) = usize::try_from(buffer) {
        // SAFETY: shared buffers are numbered from 1, and PostgreSQL's array has a descriptor for each.
        let descriptor = unsafe { pg_sys::BufferDescriptors.add(number - 1) };
        prefetch(descriptor.cast_const().cast());
    }
}

/// Pins a block. Also says whether it was found in the buffer where it was seen, and checked, before.
///
/// # Safety
/// Within a guard. `recent` has hints for blocks before `limit`.
#[inline]
unsafe fn pin(index: Index, recent: *mut pg_sys::Buffer, limit: u32, block: u32) -> (pg_sys::Buffer, bool) {
    let relation = index.relation();
    let fork = pg_sys::ForkNumber::MAIN_FORKNUM;
    if block < limit {
        // SAFETY: there is a hint for the block.
        let hint = unsafe { *recent.add(block as usize) };
        // SAFETY: the relation is open; a hint is a buffer number that PostgreSQL has given, and it checks the rest.
        if hint != 0 && unsafe { direct::ReadRecentBuffer(locator(relation), fork, block, hint) } {
            return (hint, true);
        }
    }
    // SAFETY: the relation is open.
    let buffer = unsafe {
        direct::ReadBufferExtended(relation, fork, block, pg_sys::ReadBufferMode::RBM_NORMAL, null_mut())
    };
    (buffer, false)
}

/// # Safety
/// The relation is open.
unsafe fn locator(relation: pg_sys::Relation) -> direct::Locator {
    #[cfg(feature = "pg15")]
    // SAFETY: the caller's.
    unsafe {
        (*relation).rd_node
    }
    #[cfg(not(feature = "pg15"))]
    // SAFETY: the caller's.
    unsafe {
        (*relation).rd_locator
    }
}

/// The hints for blocks before `end`; made, or made larger, if there are too few.
fn recent_buffers(index: Index, end: u32) -> *mut pg_sys::Buffer {
    const HEADER: usize = size_of::<Recent>();
    let relation = index.relation();
    // SAFETY: the relation is open; rd_amcache belongs to the access method, is null or what was put there below, and is
    // freed by PostgreSQL. The chunk has room for the header and as many buffers as it says.
    unsafe {
        let old = (*relation).rd_amcache.cast::<Recent>();
        if !old.is_null() && (*old).blocks >= end {
            return old.cast::<u8>().add(HEADER).cast();
        }
        // Room to grow.
        let blocks = end.saturating_add(end / 8).saturating_add(64);
        let size = HEADER + blocks as usize * size_of::<pg_sys::Buffer>();
        let flags = (pg_sys::MCXT_ALLOC_HUGE | pg_sys::MCXT_ALLOC_ZERO).cast_signed();
        let new = pg_sys::MemoryContextAllocExtended((*relation).rd_indexcxt, size, flags).cast::<Recent>();
        (*new).blocks = blocks;
        let hints = new.cast::<u8>().add(HEADER);
        if !old.is_null() {
            let old_size = (*old).blocks as usize * size_of::<pg_sys::Buffer>();
            hints.copy_from_nonoverlapping(old.cast::<u8>().add(HEADER), old_size);
            pg_sys::pfree(old.cast());
        }
        (*relation).rd_amcache = new.cast();
        hints.cast()
    }
}
