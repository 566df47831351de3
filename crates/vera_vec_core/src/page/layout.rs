//! Where things are: rows in pages, pages in the file.

use std::ops::Range;

use super::{CONTENT, SPECIAL};
use crate::codes::{CodeKind, row_bytes};

/// Scan pages of the largest segments: runs of 128 KiB.
const LARGEST_SEGMENT: u32 = 16;
/// Segments before the first of the largest: 1, 2, 4 and 8 scan pages.
const SMALL_SEGMENTS: u32 = LARGEST_SEGMENT.ilog2();

/// Bytes before the arrays of a scan page or a fine page.
pub(super) const ARRAYS: usize = CONTENT + 8;
/// float32 numbers of the centre in a page.
pub(super) const CENTER_PER_PAGE: usize = (SPECIAL - CONTENT) / 4;
/// A TID and a state.
pub(super) const TAIL_PER_ROW: usize = 7;
const CODES_ALIGNMENT: usize = 64;

/// The places of everything in an index; follows from what it indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Which codes
    pub kind: CodeKind,
    /// Dimensions of the vectors, 1 to [`crate::MAX_DIM`]
    pub dimensions: usize,
    /// Bytes of a row's code at one level
    pub row_bytes: usize,
    /// Slots of a scan page
    pub scan_rows: usize,
    /// Slots of a fine page
    pub fine_rows: usize,
    /// Where coarse codes begin in a scan page
    pub(super) codes: usize,
    /// Where TIDs, then states, begin
    pub(super) tids: usize,
    /// Where low nibbles begin in a fine page
    pub(super) fine_codes: usize,
}

/// Where a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPlace {
    /// Block of the scan page
    pub scan_block: u32,
    /// Slot in it
    pub slot: usize,
    /// Block of the fine page
    pub fine_block: u32,
    /// Slot in it
    pub fine_slot: usize,
}

/// A segment's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Number of its first scan page
    pub first_page: u32,
    /// Block of that page
    pub first_block: u32,
    /// Scan pages
    pub scan_pages: u32,
    /// Fine pages, which follow them
    pub fine_pages: u32,
}

impl Segment {
    /// The block after its last.
    pub fn end_block(&self) -> u32 {
        self.first_block.saturating_add(self.scan_pages + self.fine_pages)
    }

    /// The blocks of its scan pages.
    pub fn scan_blocks(&self) -> Range<u32> {
        self.first_block..self.first_block + self.scan_pages
    }

    /// The blocks of its fine pages.
    pub fn fine_blocks(&self) -> Range<u32> {
        self.first_block + self.scan_pages..self.end_block()
    }
}

impl Layout {
    /// The layout of an index of vectors of `dimensions` dimensions, 1 to [`crate::MAX_DIM`].
    pub fn new(kind: CodeKind, dimensions: usize) -> Self {
        let row_bytes = row_bytes(dimensions);
        let codes_of =
            |constants: usize, rows: usize| (ARRAYS + 4 * constants * rows).next_multiple_of(CODES_ALIGNMENT);
        let tids_of = |rows: usize| (SPECIAL - TAIL_PER_ROW * rows) / 8 * 8;
        let most =
            |fits: &dyn Fn(usize) -> bool| (1..=SPECIAL).take_while(|&rows| fits(rows)).last().unwrap_or(1);
        let scan_rows = most(&|rows| {
            TAIL_PER_ROW * rows < SPECIAL
                && codes_of(kind.constants(), rows) + row_bytes * rows <= tids_of(rows)
        });
        let fine_rows = most(&|rows| codes_of(kind.fine_constants(), rows) + row_bytes * rows <= SPECIAL);
        Self {
            kind,
            dimensions,
            row_bytes,
            scan_rows,
            fine_rows,
            codes: codes_of(kind.constants(), scan_rows),
            tids: tids_of(scan_rows),
            fine_codes: codes_of(kind.fine_constants(), fine_rows),
        }
    }

    /// Blocks of the centre, which follow block 0.
    pub fn center_blocks(&self) -> u32 {
        blocks(self.dimensions.div_ceil(CENTER_PER_PAGE))
    }

    fn fine_pages(&self, scan_pages: u32) -> u32 {
        blocks((scan_pages as usize * self.scan_rows).div_ceil(self.fine_rows))
    }

    /// A segment by its number, from 0.
    pub fn segment(&self, number: u32) -> Segment {
        let mut first_page = 0;
        let mut first_block = 1 + self.center_blocks();
        for small in 0..number.min(SMALL_SEGMENTS) {
            first_page += 1 << small;
            first_block += (1 << small) + self.fine_pages(1 << small);
        }
        let large = number.saturating_sub(SMALL_SEGMENTS);
        let per_segment = LARGEST_SEGMENT + self.fine_pages(LARGEST_SEGMENT);
        let scan_pages = if number < SMALL_SEGMENTS { 1 << number } else { LARGEST_SEGMENT };
        Segment {
            first_page: first_page + large * LARGEST_SEGMENT,
            first_block: first_block.saturating_add(large.saturating_mul(per_segment)),
            scan_pages,
            fine_pages: self.fine_pages(scan_pages),
        }
    }

    /// The number of the segment that has a scan page, by the page's number.
    fn segment_of_page(page: u32) -> u32 {
        // Small segments end before pages 1, 3, 7, 15.
        if page < LARGEST_SEGMENT - 1 {
            (page + 1).ilog2()
        } else {
            SMALL_SEGMENTS + (page - (LARGEST_SEGMENT - 1)) / LARGEST_SEGMENT
        }
    }

    /// The segment whose scan page a block is, if it is one, and that page's number.
    pub fn page_at(&self, block: u32, segments: u32) -> Option<(Segment, u32)> {
        let start = self.segment(SMALL_SEGMENTS).first_block;
        let number = if block >= start {
            SMALL_SEGMENTS + (block - start) / (LARGEST_SEGMENT + self.fine_pages(LARGEST_SEGMENT))
        } else {
            (0..SMALL_SEGMENTS).rev().find(|&small| self.segment(small).first_block <= block)?
        };
        let segment = self.segment(number);
        (number < segments && segment.scan_blocks().contains(&block))
            .then(|| (segment, segment.first_page + (block - segment.first_block)))
    }

    /// Scan pages of the first `segments` segments.
    pub fn scan_pages(&self, segments: u32) -> u32 {
        self.segment(segments).first_page
    }

    /// The block of a scan page, by its number.
    pub fn scan_block(&self, page: u32) -> u32 {
        let segment = self.segment(Self::segment_of_page(page));
        segment.first_block + (page - segment.first_page)
    }

    /// Where a slot's rows of both kinds of page are.
    pub fn place(&self, page: u32, slot: usize) -> RowPlace {
        let segment = self.segment(Self::segment_of_page(page));
        let row = (page - segment.first_page) as usize * self.scan_rows + slot;
        RowPlace {
            scan_block: segment.first_block + (page - segment.first_page),
            slot,
            fine_block: segment.first_block + segment.scan_pages + blocks(row / self.fine_rows),
            fine_slot: row % self.fine_rows,
        }
    }

    /// A slot's ordinal. Pages beyond [`Self::most_pages`] have none.
    pub fn ordinal(&self, page: u32, slot: usize) -> u32 {
        page * blocks(self.scan_rows) + blocks(slot)
    }

    /// The page and slot of an ordinal.
    pub fn slot_at(&self, ordinal: u32) -> (u32, usize) {
        let rows = blocks(self.scan_rows);
        (ordinal / rows, (ordinal % rows) as usize)
    }

    /// How many segments an index may have: ordinals have 32 bits, and so have blocks.
    pub fn most_segments(&self) -> u32 {
        let pages = u32::MAX / blocks(self.scan_rows);
        let per_segment = LARGEST_SEGMENT + self.fine_pages(LARGEST_SEGMENT);
        (pages / LARGEST_SEGMENT).min(u32::MAX / per_segment - 1)
    }
}

/// A count of pages or rows that is known to be small, or part of a u32.
#[allow(clippy::cast_possible_truncation)]
fn blocks(count: usize) -> u32 {
    count as u32
}
