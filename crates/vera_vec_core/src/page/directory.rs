//! Directory pages and summary pages: where rows are in the table, and their keys.

use super::layout::KEY_RANGE;
use super::{
    CONTENT, Layout, Page, PageError, PageKind, SPECIAL, bounds, check_kind, get_u16, get_u32, init, put_u16,
    put_u32,
};
use crate::keys::Key;

/// Where a row is in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tid {
    /// Block
    pub block: u32,
    /// Line pointer, from 1
    pub offset: u16,
}

/// TIDs and keys of the rows of some scan pages, slot by slot.
#[derive(Debug, Clone, Copy)]
pub struct Directory<'a> {
    page: &'a Page,
    layout: &'a Layout,
}

impl<'a> Directory<'a> {
    /// A view of a page; it is aligned to 8 bytes at least. Doesn't check the seal.
    ///
    /// # Errors
    /// If it is not such a page.
    pub fn new(page: &'a Page, layout: &'a Layout) -> Result<Self, PageError> {
        check_kind(page, PageKind::Directory)?;
        if bounds(page) != (layout.directory_end(), SPECIAL) {
            return Err(PageError::Impossible("bounds"));
        }
        Ok(Self { page, layout })
    }

    /// The TID of a slot; None if it has no row.
    #[inline]
    pub fn tid(&self, slot: usize) -> Option<Tid> {
        let start = self.layout.tids + 6 * slot;
        let offset = get_u16(self.page, start + 4);
        (offset != 0).then(|| Tid { block: get_u32(self.page, start), offset })
    }

    /// The keys of a column, of all slots; those of slots without a row may be any.
    pub fn keys(&self, column: usize) -> &'a [Key] {
        let start = self.layout.directory_keys(column);
        bytemuck::cast_slice(&self.page[start..start + 8 * self.layout.directory_rows()])
    }
}

/// A directory page to write to; it has yet to be sealed.
#[derive(Debug)]
pub struct DirectoryMut<'a> {
    page: &'a mut Page,
    layout: &'a Layout,
}

impl<'a> DirectoryMut<'a> {
    /// Makes an empty page.
    pub fn init(page: &'a mut Page, layout: &'a Layout) -> Self {
        init(page, PageKind::Directory, layout.directory_end(), SPECIAL);
        Self { page, layout }
    }

    /// # Errors
    /// If it is not such a page.
    pub fn new(page: &'a mut Page, layout: &'a Layout) -> Result<Self, PageError> {
        Directory::new(page, layout)?;
        Ok(Self { page, layout })
    }

    /// Puts a row, with a key for each column, into a slot.
    pub fn put(&mut self, slot: usize, tid: Tid, keys: &[Key]) {
        debug_assert_eq!(keys.len(), self.layout.keys);
        self.put_tid(slot, tid);
        for (column, key) in keys.iter().enumerate() {
            let start = self.layout.directory_keys(column) + 8 * slot;
            self.page[start..start + 8].copy_from_slice(&key.to_ne_bytes());
        }
    }

    /// Empties a slot.
    pub fn free(&mut self, slot: usize) {
        self.put_tid(slot, Tid::default());
    }

    fn put_tid(&mut self, slot: usize, tid: Tid) {
        let start = self.layout.tids + 6 * slot;
        put_u32(self.page, start, tid.block);
        put_u16(self.page, start + 4, tid.offset);
    }
}

/// The least and the greatest key of each column in some segments.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a> {
    page: &'a Page,
    layout: &'a Layout,
}

impl<'a> Summary<'a> {
    /// A view of a page. Doesn't check the seal.
    ///
    /// # Errors
    /// If it is not such a page.
    pub fn new(page: &'a Page, layout: &'a Layout) -> Result<Self, PageError> {
        check_kind(page, PageKind::Summary)?;
        if bounds(page) != (end(layout), SPECIAL) {
            return Err(PageError::Impossible("bounds"));
        }
        Ok(Self { page, layout })
    }

    /// The least and the greatest key that a column has ever had in a segment; the least is greater if there was none.
    pub fn range(&self, entry: usize, column: usize) -> (Key, Key) {
        let start = range_start(self.layout, entry, column);
        let number = |start: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.page[start..start + 8]);
            Key::from_ne_bytes(bytes)
        };
        (number(start), number(start + 8))
    }

    /// Whether a segment's ranges have a row's keys in them.
    pub fn has(&self, entry: usize, keys: &[Key]) -> bool {
        keys.iter().enumerate().all(|(column, key)| {
            let (least, greatest) = self.range(entry, column);
            (least..=greatest).contains(key)
        })
    }
}

fn end(layout: &Layout) -> usize {
    CONTENT + layout.summary_span() as usize * layout.keys * KEY_RANGE
}

fn range_start(layout: &Layout, entry: usize, column: usize) -> usize {
    CONTENT + (entry * layout.keys + column) * KEY_RANGE
}

/// A summary page to write to; it has yet to be sealed.
#[derive(Debug)]
pub struct SummaryMut<'a> {
    page: &'a mut Page,
    layout: &'a Layout,
}

impl<'a> SummaryMut<'a> {
    /// Makes a page of segments without rows.
    pub fn init(page: &'a mut Page, layout: &'a Layout) -> Self {
        init(page, PageKind::Summary, end(layout), SPECIAL);
        for entry in 0..layout.summary_span() as usize {
            for column in 0..layout.keys {
                put_range(page, layout, entry, column, (Key::MAX, 0));
            }
        }
        Self { page, layout }
    }

    /// # Errors
    /// If it is not such a page.
    pub fn new(page: &'a mut Page, layout: &'a Layout) -> Result<Self, PageError> {
        Summary::new(page, layout)?;
        Ok(Self { page, layout })
    }

    /// Widens a segment's ranges so that a row's keys are in them.
    pub fn widen(&mut self, entry: usize, keys: &[Key]) {
        for (column, &key) in keys.iter().enumerate() {
            let (least, greatest) = Summary { page: self.page, layout: self.layout }.range(entry, column);
            put_range(self.page, self.layout, entry, column, (least.min(key), greatest.max(key)));
        }
    }
}

fn put_range(page: &mut Page, layout: &Layout, entry: usize, column: usize, (least, greatest): (Key, Key)) {
    let start = range_start(layout, entry, column);
    page[start..start + 8].copy_from_slice(&least.to_ne_bytes());
    page[start + 8..start + 16].copy_from_slice(&greatest.to_ne_bytes());
}
