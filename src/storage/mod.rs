//! An index's pages in PostgreSQL's buffers: pinned, locked, changed under WAL.
//!
//! A *pin* keeps a page in its buffer, a *content lock* (shared or exclusive) keeps others from changing or reading it;
//! see PostgreSQL's src/backend/storage/buffer/README. The order of locks is in ARCHITECTURE.md, "Locks".
//!
//! What is on pages is `vera_vec_core::page`'s to know. Here pages are bytes, and errors about them get the index's name
//! and the block.

mod buffer;
mod change;
mod reader;

pub(crate) use buffer::{LockedPage, Mode};
pub(crate) use change::Change;
pub(crate) use reader::{PageVisitor, Reader};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgSqlErrorCode, function_name, pg_sys};
use vera_vec_core::page::{CenterPage, FORMAT_VERSION, Meta, PageError};

use crate::error;

const _: () =
    assert!(pg_sys::BLCKSZ as usize == vera_vec_core::page::PAGE_SIZE, "PostgreSQL's default block size");

/// An open `veraflat` index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Index {
    relation: pg_sys::Relation,
}

impl Index {
    /// # Safety
    /// `relation` is an index of this access method, open and locked as long as the result is used.
    pub(crate) unsafe fn new(relation: pg_sys::Relation) -> Self {
        Self { relation }
    }

    pub(crate) fn relation(self) -> pg_sys::Relation {
        self.relation
    }

    /// The index's name, for messages.
    pub(crate) fn name(self) -> String {
        // SAFETY: the relation is open, so its pg_class row and its name are there.
        let name = unsafe { std::ffi::CStr::from_ptr((*(*self.relation).rd_rel).relname.data.as_ptr()) };
        name.to_string_lossy().into_owned()
    }

    /// Blocks of the main fork.
    pub(crate) fn blocks(self) -> u32 {
        // SAFETY: the relation is open.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.relation, pg_sys::ForkNumber::MAIN_FORKNUM) }
    }

    /// Whether changes of the index have to be logged.
    pub(crate) fn needs_wal(self) -> bool {
        crate::postgres::relation_needs_wal(self.relation)
    }

    /// Reads block 0, and makes sure that the file has what it says.
    pub(crate) fn meta(self) -> Meta {
        let meta = LockedPage::read(self, 0, Mode::Share).view(Meta::read);
        let end = meta.layout.segment(meta.segments).first_block;
        if self.blocks() < end {
            let detail = format!("The file has {} blocks, and should have {end} at least.", self.blocks());
            report_corrupted(self, "is truncated", Some(detail));
        }
        meta
    }

    /// Reads the centre.
    pub(crate) fn center(self, meta: &Meta) -> Vec<f32> {
        let mut center = Vec::with_capacity(meta.layout.dimensions);
        for number in 0..meta.layout.center_blocks() {
            LockedPage::read(self, 1 + number, Mode::Share)
                .view(|page| CenterPage::read(page, &meta.layout, number, &mut center));
        }
        center
    }

    /// Ends the statement: a page is not what it should be.
    pub(crate) fn report(self, block: u32, error: &PageError) -> ! {
        match error {
            PageError::Version(version) => error::report(
                ErrorReport::new(
                    PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                    format!("index \"{}\" has format version {version}, which is not supported", self.name()),
                    function_name!(),
                )
                .set_detail(format!("This version of vera_vec reads format version {FORMAT_VERSION}."))
                .set_hint(format!("REINDEX INDEX {};", self.name())),
            ),
            _ => report_corrupted(
                self,
                &format!("has a corrupted page in block {block}"),
                Some(format!("{error}")),
            ),
        }
    }
}

/// Ends the statement: the index is not what it should be.
pub(crate) fn report_corrupted(index: Index, what: &str, detail: Option<String>) -> ! {
    let mut report = ErrorReport::new(
        PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED,
        format!("index \"{}\" {what}", index.name()),
        function_name!(),
    )
    .set_hint("Please REINDEX it.");
    if let Some(detail) = detail {
        report = report.set_detail(format!("{}{}", detail[..1].to_uppercase(), &detail[1..]));
    }
    error::report(report)
}
