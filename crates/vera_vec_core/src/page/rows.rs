//! Scan pages and fine pages.

use std::ops::Range;

use super::layout::ARRAYS;
use super::{
    CONTENT, Layout, Page, PageError, PageKind, SPECIAL, bounds, check_kind, get_u16, init, narrow,
    put_bounds, put_u16,
};
use crate::codes::{EncodedRow, RowState};

const USED: usize = CONTENT;
const LIVE: usize = CONTENT + 2;
const SPECIAL_ROWS: usize = CONTENT + 4;

/// Constants, coarse codes and states of some rows.
#[derive(Debug, Clone, Copy)]
pub struct ScanPage<'a> {
    page: &'a Page,
    layout: &'a Layout,
    used: usize,
}

impl<'a> ScanPage<'a> {
    /// A view of a page; it is aligned to 8 bytes at least. Doesn't check the seal.
    ///
    /// # Errors
    /// If it is not such a page.
    pub fn new(page: &'a Page, layout: &'a Layout) -> Result<Self, PageError> {
        check_kind(page, PageKind::Scan)?;
        Self::of_any_kind(page, layout)
    }

    /// A view of what may turn out to be a page of another kind, so that nothing it says counts before
    /// [`Self::check_kind`]. The kind stands at the page's end, and memory is read faster from its beginning on.
    ///
    /// # Errors
    /// If it cannot be such a page.
    pub fn of_any_kind(page: &'a Page, layout: &'a Layout) -> Result<Self, PageError> {
        let view = Self { page, layout, used: usize::from(get_u16(page, USED)) };
        if view.used > layout.scan_rows || view.live() > view.used || view.special() > view.live() {
            return Err(PageError::Impossible("number of rows"));
        }
        if bounds(page) != (layout.codes + view.used * layout.row_bytes, layout.states) {
            return Err(PageError::Impossible("bounds"));
        }
        Ok(view)
    }

    /// # Errors
    /// If it is a page of another kind.
    pub fn check_kind(&self) -> Result<(), PageError> {
        check_kind(self.page, PageKind::Scan)
    }

    /// Slots that have ever held a row: the first ones.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Slots that hold a row.
    pub fn live(&self) -> usize {
        usize::from(get_u16(self.page, LIVE))
    }

    fn special(&self) -> usize {
        usize::from(get_u16(self.page, SPECIAL_ROWS))
    }

    /// Whether there is nothing but used slots in state [`RowState::Coded`].
    pub fn is_plain(&self) -> bool {
        self.special() == 0 && self.live() == self.used
    }

    /// Whether another row fits.
    pub fn has_room(&self) -> bool {
        self.live() < self.layout.scan_rows
    }

    /// The slot for another row: a free one, else the first that has never been used.
    pub fn free_slot(&self) -> Option<usize> {
        if self.live() < self.used {
            let free = self.states().position(|state| state == RowState::Free);
            if free.is_some() {
                return free;
            }
        }
        (self.used < self.layout.scan_rows).then_some(self.used)
    }

    /// The constants of used slots, an array for each; those that the kind of codes doesn't have are empty.
    pub fn constants(&self) -> [&'a [f32]; 5] {
        std::array::from_fn(|index| {
            if index >= self.layout.kind.constants() {
                return &[][..];
            }
            let start = ARRAYS + 4 * index * self.layout.scan_rows;
            bytemuck::cast_slice(&self.page[start..start + 4 * self.used])
        })
    }

    /// The coarse codes of used slots.
    pub fn coarse_codes(&self) -> &'a [u8] {
        &self.page[self.codes_range()]
    }

    /// Where the page begins.
    pub(crate) fn address(&self) -> *const u8 {
        self.page.as_ptr()
    }

    /// Where in the page they are.
    pub(crate) fn codes_range(&self) -> Range<usize> {
        self.layout.codes..self.layout.codes + self.used * self.layout.row_bytes
    }

    /// The coarse code of a used slot.
    pub fn coarse_code(&self, slot: usize) -> &'a [u8] {
        let start = self.layout.codes + slot * self.layout.row_bytes;
        &self.page[start..start + self.layout.row_bytes]
    }

    /// The constants of a used slot.
    pub fn row_constants(&self, slot: usize) -> [f32; 5] {
        self.constants().map(|array| array.get(slot).copied().unwrap_or(0.0))
    }

    /// The states of used slots.
    pub fn states(&self) -> impl Iterator<Item = RowState> + use<'a> {
        let start = self.layout.states;
        self.page[start..start + self.used].iter().map(|&number| state_of(number))
    }

    /// The state of a used slot.
    pub fn state(&self, slot: usize) -> RowState {
        state_of(self.page[self.layout.states + slot])
    }

    /// Checks what [`Self::new`] does not: that counts and states agree.
    ///
    /// # Errors
    /// If they do not.
    pub fn check_states(&self) -> Result<(), PageError> {
        let start = self.layout.states;
        let numbers = &self.page[start..start + self.used];
        if numbers.iter().any(|&number| RowState::from_number(number).is_none()) {
            return Err(PageError::Impossible("state of a row"));
        }
        let live = self.states().filter(|&state| state != RowState::Free).count();
        let special = self.states().filter(|&state| is_special(state)).count();
        if live != self.live() || special != self.special() {
            return Err(PageError::Impossible("count of rows"));
        }
        Ok(())
    }
}

fn is_special(state: RowState) -> bool {
    !matches!(state, RowState::Free | RowState::Coded)
}

/// A number that is none, which a sealed page doesn't have, is a row that is always looked at.
fn state_of(number: u8) -> RowState {
    RowState::from_number(number).unwrap_or(RowState::Unbounded)
}

/// A scan page to write to; it has yet to be sealed.
#[derive(Debug)]
pub struct ScanPageMut<'a> {
    page: &'a mut Page,
    layout: &'a Layout,
}

impl<'a> ScanPageMut<'a> {
    /// Makes an empty page.
    pub fn init(page: &'a mut Page, layout: &'a Layout) -> Self {
        init(page, PageKind::Scan, layout.codes, layout.states);
        Self { page, layout }
    }

    /// # Errors
    /// If it is not such a page.
    pub fn new(page: &'a mut Page, layout: &'a Layout) -> Result<Self, PageError> {
        ScanPage::new(page, layout)?;
        Ok(Self { page, layout })
    }

    fn count(&mut self, offset: usize, change: i32) {
        let count = i32::from(get_u16(self.page, offset)) + change;
        put_u16(self.page, offset, u16::try_from(count).unwrap_or(0));
    }

    fn put_state(&mut self, slot: usize, state: RowState) {
        self.page[self.layout.states + slot] = state as u8;
    }

    /// Puts a row into a slot that [`ScanPage::free_slot`] has given.
    pub fn put(&mut self, slot: usize, row: &EncodedRow) {
        let layout = self.layout;
        let used = usize::from(get_u16(self.page, USED));
        if slot >= used {
            put_u16(self.page, USED, narrow(slot + 1));
            put_bounds(self.page, layout.codes + (slot + 1) * layout.row_bytes, layout.states);
        }
        for (index, constant) in row.constants.iter().take(layout.kind.constants()).enumerate() {
            let start = ARRAYS + 4 * (index * layout.scan_rows + slot);
            self.page[start..start + 4].copy_from_slice(&constant.to_ne_bytes());
        }
        let start = layout.codes + slot * layout.row_bytes;
        self.page[start..start + layout.row_bytes].copy_from_slice(&row.coarse);
        self.put_state(slot, row.state);
        self.count(LIVE, 1);
        self.count(SPECIAL_ROWS, i32::from(is_special(row.state)));
    }

    /// Frees the slot of a row.
    pub fn free(&mut self, slot: usize, state: RowState) {
        self.put_state(slot, RowState::Free);
        self.count(LIVE, -1);
        self.count(SPECIAL_ROWS, -i32::from(is_special(state)));
    }
}

/// Fine codes and their constants of some rows.
#[derive(Debug, Clone, Copy)]
pub struct FinePage<'a> {
    page: &'a Page,
    layout: &'a Layout,
    used: usize,
}

impl<'a> FinePage<'a> {
    /// A view of a page; it is aligned to 8 bytes at least. Doesn't check the seal.
    ///
    /// # Errors
    /// If it is not such a page.
    pub fn new(page: &'a Page, layout: &'a Layout) -> Result<Self, PageError> {
        check_kind(page, PageKind::Fine)?;
        let used = usize::from(get_u16(page, USED));
        if used > layout.fine_rows {
            return Err(PageError::Impossible("number of rows"));
        }
        if bounds(page) != (layout.fine_codes + used * layout.row_bytes, SPECIAL) {
            return Err(PageError::Impossible("bounds"));
        }
        Ok(Self { page, layout, used })
    }

    /// Low nibbles and constants of a row; none if its slot has never been used.
    pub fn row(&self, slot: usize) -> Option<(&'a [u8], [f32; 3])> {
        if slot >= self.used {
            return None;
        }
        let layout = self.layout;
        let constants = std::array::from_fn(|index| {
            if index >= layout.kind.fine_constants() {
                return 0.0;
            }
            let start = ARRAYS + 4 * (index * layout.fine_rows + slot);
            f32::from_ne_bytes([
                self.page[start],
                self.page[start + 1],
                self.page[start + 2],
                self.page[start + 3],
            ])
        });
        let start = layout.fine_codes + slot * layout.row_bytes;
        Some((&self.page[start..start + layout.row_bytes], constants))
    }
}

/// A fine page to write to; it has yet to be sealed.
#[derive(Debug)]
pub struct FinePageMut<'a> {
    page: &'a mut Page,
    layout: &'a Layout,
}

impl<'a> FinePageMut<'a> {
    /// Makes an empty page.
    pub fn init(page: &'a mut Page, layout: &'a Layout) -> Self {
        init(page, PageKind::Fine, layout.fine_codes, SPECIAL);
        Self { page, layout }
    }

    /// # Errors
    /// If it is not such a page.
    pub fn new(page: &'a mut Page, layout: &'a Layout) -> Result<Self, PageError> {
        FinePage::new(page, layout)?;
        Ok(Self { page, layout })
    }

    /// Puts a row into a slot, whatever was there.
    pub fn put(&mut self, slot: usize, row: &EncodedRow) {
        let layout = self.layout;
        if slot >= usize::from(get_u16(self.page, USED)) {
            put_u16(self.page, USED, narrow(slot + 1));
            put_bounds(self.page, layout.fine_codes + (slot + 1) * layout.row_bytes, SPECIAL);
        }
        for (index, constant) in row.fine_constants.iter().take(layout.kind.fine_constants()).enumerate() {
            let start = ARRAYS + 4 * (index * layout.fine_rows + slot);
            self.page[start..start + 4].copy_from_slice(&constant.to_ne_bytes());
        }
        let start = layout.fine_codes + slot * layout.row_bytes;
        self.page[start..start + layout.row_bytes].copy_from_slice(&row.fine);
    }
}
