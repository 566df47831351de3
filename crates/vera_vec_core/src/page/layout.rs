//! Where things are: rows in pages, pages in the file.

use std::ops::Range;

use super::{CONTENT, SPECIAL};
use crate::codes::{CodeKind, row_bytes};

/// Segments of the smallest size, which is one scan page; half as many of each size after that. So one that is hardly
/// filled is a thirtieth of an index at most.
const SEGMENTS_OF_A_SIZE: u32 = 64;
/// Scan pages of the largest segments, as a power of two: runs of half a MiB.
const LARGEST_LEVEL: u32 = 6;

/// Bytes before the arrays of a scan page or a fine page.
pub(super) const ARRAYS: usize = CONTENT + 8;
/// float32 numbers of the centre in a page.
pub(super) const CENTER_PER_PAGE: usize = (SPECIAL - CONTENT) / 4;
/// Bytes of a row in a directory page, and of each of its keys there.
const TID: usize = 6;
const KEY: usize = 8;
/// Bytes of a segment's entry in a summary page, for each key column: the least key and the greatest.
pub(super) const KEY_RANGE: usize = 16;
const CODES_ALIGNMENT: usize = 64;

/// The places of everything in an index; follows from what it indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Which codes
    pub kind: CodeKind,
    /// Dimensions of the vectors, 1 to [`crate::MAX_DIM`]
    pub dimensions: usize,
    /// Key columns, 0 to [`Layout::MAX_KEYS`]
    pub keys: usize,
    /// Bytes of a row's code at one level
    pub row_bytes: usize,
    /// Slots of a scan page
    pub scan_rows: usize,
    /// Slots of a fine page
    pub fine_rows: usize,
    /// Scan pages whose rows a directory page has
    pub directory_span: u32,
    /// Where coarse codes begin in a scan page
    pub(super) codes: usize,
    /// Where states begin
    pub(super) states: usize,
    /// Where TIDs begin in a directory page, after the keys
    pub(super) tids: usize,
    /// Where low nibbles begin in a fine page
    pub(super) fine_codes: usize,
    /// Where segments of each size begin: looked up for every row that is refined
    levels: [Level; LARGEST_LEVEL as usize + 1],
}

/// The segments of 2^level scan pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Level {
    /// Number of the first scan page
    first_page: u32,
    /// Its block, but for directory and summary pages before it
    first_block: u32,
    /// Fine pages of each segment
    fine_pages: u32,
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
    /// Block of the directory page
    pub directory_block: u32,
    /// Slot in it
    pub directory_slot: usize,
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
    /// Directory pages, which come then: those that begin with rows of this segment
    pub directory_pages: u32,
    /// Summary pages, which come last: one, if this segment is the first of those that a page sums up; else none
    pub summary_pages: u32,
}

impl Segment {
    /// The block after its last.
    pub fn end_block(&self) -> u32 {
        self.first_block
            .saturating_add(self.scan_pages + self.fine_pages + self.directory_pages + self.summary_pages)
    }

    /// The blocks of its scan pages.
    pub fn scan_blocks(&self) -> Range<u32> {
        self.first_block..self.first_block + self.scan_pages
    }

    /// The blocks of its fine pages.
    pub fn fine_blocks(&self) -> Range<u32> {
        let start = self.first_block + self.scan_pages;
        start..start + self.fine_pages
    }

    /// The blocks of its directory pages.
    pub fn directory_blocks(&self) -> Range<u32> {
        let start = self.fine_blocks().end;
        start..start + self.directory_pages
    }

    /// The blocks of its summary pages.
    pub fn summary_blocks(&self) -> Range<u32> {
        self.directory_blocks().end..self.end_block()
    }
}

impl Layout {
    /// Key columns that an index can have: PostgreSQL's limit of columns, less the vector.
    pub const MAX_KEYS: usize = 31;

    /// The layout of an index of vectors of `dimensions` dimensions, 1 to [`crate::MAX_DIM`], with as many key columns, at most
    /// [`Self::MAX_KEYS`].
    pub fn new(kind: CodeKind, dimensions: usize, keys: usize) -> Self {
        let row_bytes = row_bytes(dimensions);
        let codes_of =
            |constants: usize, rows: usize| (ARRAYS + 4 * constants * rows).next_multiple_of(CODES_ALIGNMENT);
        let states_of = |rows: usize| (SPECIAL - rows) / 8 * 8;
        // A scan page's rows are in one directory page.
        let directory_rows = (SPECIAL - CONTENT) / (TID + KEY * keys);
        let most =
            |fits: &dyn Fn(usize) -> bool| (1..=SPECIAL).take_while(|&rows| fits(rows)).last().unwrap_or(1);
        let scan_rows = most(&|rows| {
            rows < SPECIAL && codes_of(kind.constants(), rows) + row_bytes * rows <= states_of(rows)
        })
        .min(directory_rows);
        let directory_span = blocks(directory_rows / scan_rows);
        let fine_rows = most(&|rows| codes_of(kind.fine_constants(), rows) + row_bytes * rows <= SPECIAL);
        let mut layout = Self {
            kind,
            dimensions,
            keys,
            row_bytes,
            scan_rows,
            fine_rows,
            directory_span,
            codes: codes_of(kind.constants(), scan_rows),
            states: states_of(scan_rows),
            tids: CONTENT + KEY * keys * directory_span as usize * scan_rows,
            fine_codes: codes_of(kind.fine_constants(), fine_rows),
            levels: Default::default(),
        };
        let (mut first_page, mut first_block) = (0, 1 + layout.center_blocks());
        for level in 0..=LARGEST_LEVEL {
            let fine_pages = layout.fine_pages(1 << level);
            layout.levels[level as usize] = Level { first_page, first_block, fine_pages };
            first_page += segments_of_level(level) << level;
            first_block += segments_of_level(level) * ((1 << level) + fine_pages);
        }
        layout
    }

    /// Rows of a directory page.
    pub fn directory_rows(&self) -> usize {
        self.directory_span as usize * self.scan_rows
    }

    /// Where a directory page's TIDs end.
    pub(super) fn directory_end(&self) -> usize {
        self.tids + TID * self.directory_rows()
    }

    /// Where the keys of a column begin in a directory page.
    pub(super) fn directory_keys(&self, column: usize) -> usize {
        CONTENT + KEY * column * self.directory_rows()
    }

    /// Segments that a summary page has; 0 if there are none, because there are no keys.
    pub fn summary_span(&self) -> u32 {
        if self.keys == 0 { 0 } else { blocks((SPECIAL - CONTENT) / (KEY_RANGE * self.keys)) }
    }

    /// Offsets in a scan page: one in each cache line that has something of a slot, or of the page's header.
    pub fn scan_lines(&self, slot: usize) -> impl Iterator<Item = usize> {
        let constants = self.kind.constants();
        let scan_rows = self.scan_rows;
        [0, SPECIAL, self.states + slot]
            .into_iter()
            .chain((0..constants).map(move |index| ARRAYS + 4 * (index * scan_rows + slot)))
            .chain(self.code_lines(self.codes, slot))
    }

    /// Those of a slot in a fine page.
    pub fn fine_lines(&self, slot: usize) -> impl Iterator<Item = usize> {
        let constants = self.kind.fine_constants();
        let fine_rows = self.fine_rows;
        [0, SPECIAL]
            .into_iter()
            .chain((0..constants).map(move |index| ARRAYS + 4 * (index * fine_rows + slot)))
            .chain(self.code_lines(self.fine_codes, slot))
    }

    fn code_lines(&self, codes: usize, slot: usize) -> impl Iterator<Item = usize> {
        let start = codes + slot * self.row_bytes;
        // A row that is no multiple of a line may begin in the middle of one, and so end in one more.
        (start..start + self.row_bytes).step_by(64).chain([start + self.row_bytes - 1])
    }

    /// Blocks of the centre, which follow block 0.
    pub fn center_blocks(&self) -> u32 {
        blocks(self.dimensions.div_ceil(CENTER_PER_PAGE))
    }

    fn fine_pages(&self, scan_pages: u32) -> u32 {
        blocks((scan_pages as usize * self.scan_rows).div_ceil(self.fine_rows))
    }

    /// A segment by its number, from 0: 64 of one scan page, then 32 each of 2, 4, 8, …, then all of 64.
    pub fn segment(&self, number: u32) -> Segment {
        let level = level_of_segment(number);
        let Level { first_page, first_block, fine_pages } = self.levels[level as usize];
        let scan_pages = 1 << level;
        let before = number - first_segment(level);
        let first_page: u32 = first_page.saturating_add(before.saturating_mul(scan_pages));
        // Directory pages begin at multiples of their span, summary pages at those of theirs.
        let directories = first_page.div_ceil(self.directory_span);
        let summary_span = self.summary_span();
        let summaries = if summary_span == 0 { 0 } else { number.div_ceil(summary_span) };
        Segment {
            first_page,
            first_block: first_block
                .saturating_add(before.saturating_mul(scan_pages + fine_pages))
                .saturating_add(directories)
                .saturating_add(summaries),
            scan_pages,
            fine_pages,
            directory_pages: first_page.saturating_add(scan_pages).div_ceil(self.directory_span)
                - directories,
            summary_pages: u32::from(summary_span != 0 && number.is_multiple_of(summary_span)),
        }
    }

    /// The number of the segment that has a scan page, by the page's number.
    pub fn segment_of_page(page: u32) -> u32 {
        let level = match page / SEGMENTS_OF_A_SIZE {
            0 => 0,
            times => (times.ilog2() + 1).min(LARGEST_LEVEL),
        };
        let first_page = if level == 0 { 0 } else { SEGMENTS_OF_A_SIZE << (level - 1) };
        first_segment(level) + ((page - first_page) >> level)
    }

    /// The segment whose scan page a block is, if it is one, and that page's number.
    pub fn page_at(&self, block: u32, segments: u32) -> Option<(Segment, u32)> {
        let (mut number, mut end) = (0, segments);
        while end - number > 1 {
            let middle = number + (end - number) / 2;
            if self.segment(middle).first_block <= block { number = middle } else { end = middle }
        }
        let segment = self.segment(number);
        (segments > 0 && segment.scan_blocks().contains(&block))
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
        let directory = page / self.directory_span;
        let row = (page - segment.first_page) as usize * self.scan_rows + slot;
        RowPlace {
            scan_block: segment.first_block + (page - segment.first_page),
            slot,
            fine_block: segment.first_block + segment.scan_pages + blocks(row / self.fine_rows),
            fine_slot: row % self.fine_rows,
            directory_block: self.directory_block(directory),
            directory_slot: (page % self.directory_span) as usize * self.scan_rows + slot,
        }
    }

    /// Directory pages of the first `segments` segments.
    pub fn directories(&self, segments: u32) -> u32 {
        self.scan_pages(segments).div_ceil(self.directory_span)
    }

    /// The block of a directory page, by its number.
    pub fn directory_block(&self, directory: u32) -> u32 {
        let segment = self.segment(Self::segment_of_page(directory * self.directory_span));
        segment.directory_blocks().start + (directory - segment.first_page.div_ceil(self.directory_span))
    }

    /// The block of the summary page that has a segment, and the segment's entry in it; None if there are no keys.
    pub fn summary(&self, segment: u32) -> Option<(u32, usize)> {
        let span = self.summary_span();
        let entry = segment.checked_rem(span)?;
        Some((self.segment(segment - entry).summary_blocks().start, entry as usize))
    }

    /// A slot's ordinal. Pages beyond those of [`Self::most_segments`] have none.
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
        let scan_pages = 1 << LARGEST_LEVEL;
        let pages = u32::MAX / blocks(self.scan_rows);
        let by_ordinals = pages / scan_pages;
        let most_blocks =
            scan_pages + self.fine_pages(scan_pages) + scan_pages.div_ceil(self.directory_span) + 1;
        let by_blocks = u32::MAX / most_blocks - SEGMENTS_OF_A_SIZE;
        // Smaller segments only make it fewer pages than that.
        first_segment(LARGEST_LEVEL) + by_ordinals.min(by_blocks) - SEGMENTS_OF_A_SIZE
    }
}

/// Segments of 2^`level` scan pages, but for the largest, of which there is no end.
fn segments_of_level(level: u32) -> u32 {
    if level == 0 { SEGMENTS_OF_A_SIZE } else { SEGMENTS_OF_A_SIZE / 2 }
}

/// The number of the first segment of a level.
fn first_segment(level: u32) -> u32 {
    if level == 0 { 0 } else { SEGMENTS_OF_A_SIZE / 2 * (level + 1) }
}

fn level_of_segment(number: u32) -> u32 {
    (number / (SEGMENTS_OF_A_SIZE / 2)).saturating_sub(1).min(LARGEST_LEVEL)
}

/// A count of pages or rows that is known to be small, or part of a u32.
#[allow(clippy::cast_possible_truncation)]
fn blocks(count: usize) -> u32 {
    count as u32
}
