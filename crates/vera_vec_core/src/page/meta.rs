//! Block 0 and the centre.

use super::layout::CENTER_PER_PAGE;
use super::{
    CONTENT, FORMAT_VERSION, Layout, Page, PageError, PageKind, SPECIAL, check_kind, get_u16, get_u32, init,
    put_u16, put_u32,
};
use crate::MAX_DIM;
use crate::codes::CodeKind;

const MAGIC: [u8; 8] = *b"veraflat";
const VERSION: usize = CONTENT + 8;
const DIMENSIONS: usize = VERSION + 4;
const CODES: usize = DIMENSIONS + 4;
const ELEMENT: usize = CODES + 4;
const KEY_COLUMNS: usize = ELEMENT + 4;
const ROW_BYTES: usize = KEY_COLUMNS + 4;
const SCAN_ROWS: usize = ROW_BYTES + 4;
const FINE_ROWS: usize = SCAN_ROWS + 4;
const DIRECTORY_SPAN: usize = FINE_ROWS + 4;
const CENTER_BLOCKS: usize = DIRECTORY_SPAN + 4;
const SEGMENTS: usize = CENTER_BLOCKS + 4;
const CREATED_BY: usize = SEGMENTS + 4;
const END: usize = CREATED_BY + 8;

/// The number on disk of float32, the only type of element so far.
const FLOAT32: u32 = 1;

/// What block 0 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// The layout of the rest
    pub layout: Layout,
    /// Segments that are there: all their pages are, and none of them is new
    pub segments: u32,
    /// The version of the extension that built the index
    pub created_by: [u16; 3],
}

impl Meta {
    /// Writes block 0; it has yet to be sealed.
    pub fn write(&self, page: &mut Page) {
        init(page, PageKind::Meta, END, SPECIAL);
        page[CONTENT..VERSION].copy_from_slice(&MAGIC);
        for (offset, number) in [(VERSION, FORMAT_VERSION), (ELEMENT, FLOAT32), (SEGMENTS, self.segments)] {
            put_u32(page, offset, number);
        }
        for (offset, number) in self.derived() {
            put_u32(page, offset, number);
        }
        for (part, number) in self.created_by.into_iter().enumerate() {
            put_u16(page, CREATED_BY + 2 * part, number);
        }
    }

    /// Numbers that follow from the layout; written for tools, and checked when read.
    fn derived(&self) -> [(usize, u32); 8] {
        let layout = &self.layout;
        #[allow(clippy::cast_possible_truncation)] // parts of a page
        let number = |count: usize| count as u32;
        [
            (DIMENSIONS, number(layout.dimensions)),
            (CODES, layout.kind.number()),
            (KEY_COLUMNS, number(layout.keys)),
            (ROW_BYTES, number(layout.row_bytes)),
            (SCAN_ROWS, number(layout.scan_rows)),
            (FINE_ROWS, number(layout.fine_rows)),
            (DIRECTORY_SPAN, layout.directory_span),
            (CENTER_BLOCKS, layout.center_blocks()),
        ]
    }

    /// Reads block 0. The seal comes before the version, and is the same in all versions: so a version that is another one is no
    /// damage.
    ///
    /// # Errors
    /// If it is not ours, of another version, or damaged.
    pub fn read(page: &Page) -> Result<Self, PageError> {
        if page[CONTENT..VERSION] != MAGIC {
            return Err(PageError::Kind);
        }
        super::check_seal(page, 0)?;
        let version = get_u32(page, VERSION);
        if version != FORMAT_VERSION {
            return Err(PageError::Version(version));
        }
        check_kind(page, PageKind::Meta)?;
        let dimensions = get_u32(page, DIMENSIONS) as usize;
        if !(1..=MAX_DIM).contains(&dimensions) {
            return Err(PageError::Impossible("dimensions"));
        }
        let kind = [CodeKind::Rotated, CodeKind::Taxicab]
            .into_iter()
            .find(|kind| kind.number() == get_u32(page, CODES))
            .ok_or(PageError::Impossible("kind of codes"))?;
        if get_u32(page, ELEMENT) != FLOAT32 {
            return Err(PageError::Impossible("type of element"));
        }
        let keys = get_u32(page, KEY_COLUMNS) as usize;
        if keys > Layout::MAX_KEYS {
            return Err(PageError::Impossible("number of key columns"));
        }
        let meta = Self {
            layout: Layout::new(kind, dimensions, keys),
            segments: get_u32(page, SEGMENTS),
            created_by: [0, 1, 2].map(|part| get_u16(page, CREATED_BY + 2 * part)),
        };
        if meta.derived().into_iter().any(|(offset, number)| get_u32(page, offset) != number) {
            return Err(PageError::Impossible("layout"));
        }
        if meta.segments > meta.layout.most_segments() {
            return Err(PageError::Impossible("number of segments"));
        }
        Ok(meta)
    }

    /// Changes the number of segments on block 0, which has passed [`Self::read`].
    pub fn write_segments(page: &mut Page, segments: u32) {
        put_u32(page, SEGMENTS, segments);
    }
}

/// A page of the centre.
#[derive(Debug)]
pub struct CenterPage;

impl CenterPage {
    /// The numbers of the centre that its page number `number` has.
    pub fn range(layout: &Layout, number: u32) -> std::ops::Range<usize> {
        let start = number as usize * CENTER_PER_PAGE;
        start..(start + CENTER_PER_PAGE).min(layout.dimensions)
    }

    /// Writes one; it has yet to be sealed.
    pub fn write(page: &mut Page, numbers: &[f32]) {
        let end = CONTENT + 4 * numbers.len();
        init(page, PageKind::Center, end, SPECIAL);
        for (bytes, number) in page[CONTENT..end].as_chunks_mut::<4>().0.iter_mut().zip(numbers) {
            *bytes = number.to_ne_bytes();
        }
    }

    /// Appends the numbers of the page that is number `number` of the centre.
    ///
    /// # Errors
    /// If it is not such a page.
    pub fn read(page: &Page, layout: &Layout, number: u32, center: &mut Vec<f32>) -> Result<(), PageError> {
        check_kind(page, PageKind::Center)?;
        super::check_seal(page, 1 + number)?;
        let end = CONTENT + 4 * Self::range(layout, number).len();
        center.extend(page[CONTENT..end].as_chunks::<4>().0.iter().map(|&bytes| f32::from_ne_bytes(bytes)));
        Ok(())
    }
}
