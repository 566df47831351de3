//! The pages of an index, over byte slices. ARCHITECTURE.md, "Pages", is the format; these files are its only
//! readers and writers.
//!
//! * [`Layout`]: where things are in pages, and pages in the file
//! * [`ScanPage`], [`ScanPageMut`]; [`FinePage`], [`FinePageMut`]: the rows' codes
//! * [`Directory`], [`DirectoryMut`]: where they are in the table, and their keys; [`Summary`], [`SummaryMut`]: which keys a
//!   segment has
//! * [`Meta`], [`CenterPage`]: what comes before them
//!
//! Whatever is read may be damaged: views are only made of pages that have passed their checks.

mod directory;
mod layout;
mod meta;
mod rows;

pub use directory::{Directory, DirectoryMut, Summary, SummaryMut, Tid};
pub use layout::{Layout, RowPlace, Segment};
pub use meta::{CenterPage, Meta};
pub use rows::{FinePage, FinePageMut, ScanPage, ScanPageMut};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of a page.
pub const PAGE_SIZE: usize = 8192;
/// The version of the format that this code writes; see ARCHITECTURE.md, "Pages".
pub const FORMAT_VERSION: u32 = 2;

/// Where content begins: after PostgreSQL's page header.
const CONTENT: usize = 24;
/// Where the special area begins.
const SPECIAL: usize = PAGE_SIZE - 16;
/// The page's kind, in the special area after the checksum.
const KIND: usize = SPECIAL + 8;
/// The last two bytes of every page.
const PAGE_ID: u16 = 0xFFA5;

// Fields of PostgreSQL's page header, from bufpage.h.
const PD_LOWER: usize = 12;
const PD_UPPER: usize = 14;
const PD_SPECIAL: usize = 16;
const PD_PAGESIZE_VERSION: usize = 18;

/// A page's bytes.
pub type Page = [u8; PAGE_SIZE];

/// What a page is for; the numbers are those on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum PageKind {
    /// Block 0
    Meta = 1,
    /// The centre
    Center = 2,
    /// Constants, coarse codes, states
    Scan = 3,
    /// Fine codes
    Fine = 4,
    /// TIDs and keys
    Directory = 5,
    /// Ranges of keys
    Summary = 6,
}

/// A page, or the index as a whole, is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The page is not one of the kind that belongs there.
    #[error("unexpected kind of page")]
    Kind,
    /// The page's content is not what was written.
    #[error("checksum does not match")]
    Checksum,
    /// A number on the page is impossible.
    #[error("impossible {0}")]
    Impossible(&'static str),
    /// The index has a format of another version.
    #[error("format version {0}")]
    Version(u32),
}

/// Gives a new page PostgreSQL's header, an empty content, and our special area.
///
/// `lower` and `upper` are where its hole begins and ends.
fn init(page: &mut Page, kind: PageKind, lower: usize, upper: usize) {
    page.fill(0);
    put_bounds(page, lower, upper);
    put_u16(page, PD_SPECIAL, narrow(SPECIAL));
    // The page's size and the version of PostgreSQL's page layout.
    put_u16(page, PD_PAGESIZE_VERSION, narrow(PAGE_SIZE) | 4);
    put_u16(page, KIND, kind as u16);
    put_u16(page, PAGE_SIZE - 2, PAGE_ID);
}

/// Completes a page that has been written to; the last thing before it is stored.
pub fn seal(page: &mut Page, block: u32) {
    let checksum = checksum(page, block);
    page[SPECIAL..SPECIAL + 8].copy_from_slice(&checksum.to_ne_bytes());
}

/// Checks that a page is what was sealed as block `block`.
///
/// # Errors
/// If it isn't.
pub fn check_seal(page: &Page, block: u32) -> Result<(), PageError> {
    check_bounds(page)?;
    if page[SPECIAL..SPECIAL + 8] == checksum(page, block).to_ne_bytes() {
        Ok(())
    } else {
        Err(PageError::Checksum)
    }
}

/// XXH3, seeded with the block so that a page in another's place is found out, of all that counts.
fn checksum(page: &Page, block: u32) -> u64 {
    let (lower, upper) = bounds(page);
    let content = xxh3_64_with_seed(&page[CONTENT..lower], u64::from(block));
    let content = xxh3_64_with_seed(&page[upper..SPECIAL], content);
    xxh3_64_with_seed(&page[KIND..], content)
}

/// Checks that a page is of some kind, as far as is needed for reading it in bounds.
fn check_kind(page: &Page, kind: PageKind) -> Result<(), PageError> {
    if get_u16(page, PAGE_SIZE - 2) != PAGE_ID || get_u16(page, KIND) != kind as u16 {
        return Err(PageError::Kind);
    }
    check_bounds(page)
}

fn check_bounds(page: &Page) -> Result<(), PageError> {
    let (lower, upper) = bounds(page);
    if (CONTENT..=upper).contains(&lower) && upper <= SPECIAL {
        Ok(())
    } else {
        Err(PageError::Impossible("bounds"))
    }
}

fn bounds(page: &Page) -> (usize, usize) {
    (usize::from(get_u16(page, PD_LOWER)), usize::from(get_u16(page, PD_UPPER)))
}

fn put_bounds(page: &mut Page, lower: usize, upper: usize) {
    put_u16(page, PD_LOWER, narrow(lower));
    put_u16(page, PD_UPPER, narrow(upper));
}

/// An offset or a count within a page.
#[allow(clippy::cast_possible_truncation)] // at most PAGE_SIZE
fn narrow(number: usize) -> u16 {
    number as u16
}

fn get_u16(page: &Page, offset: usize) -> u16 {
    u16::from_ne_bytes([page[offset], page[offset + 1]])
}

fn put_u16(page: &mut Page, offset: usize, number: u16) {
    page[offset..offset + 2].copy_from_slice(&number.to_ne_bytes());
}

fn get_u32(page: &Page, offset: usize) -> u32 {
    u32::from_ne_bytes([page[offset], page[offset + 1], page[offset + 2], page[offset + 3]])
}

fn put_u32(page: &mut Page, offset: usize, number: u32) {
    page[offset..offset + 4].copy_from_slice(&number.to_ne_bytes());
}
