//! What a ranking sees of an index and its table.

use pgrx::check_for_interrupts;
use vera_vec_core::codes::kernels::prefetch_for_later;
use vera_vec_core::codes::{Query, Refined};
use vera_vec_core::page::{FinePage, Layout, Meta, Page, PageError, RowPlace, ScanPage, Tid};
use vera_vec_core::ranking::{Place, Ranked, Table};
use vera_vec_core::search::{Hit, Rows};
use vera_vec_core::tid_set::{Finder, TidSet};

use crate::storage::{Index, PageVisitor, Reader};

/// Fetches rows from a table.
pub(crate) trait Fetch {
    /// The row with its distances; None if it is not to be given.
    fn fetch(&mut self, tid: Tid) -> Option<Ranked>;
}

/// The rows of an index that a scan looks at: those that were there when it was started.
#[derive(Debug)]
pub(crate) struct ScannedRows {
    layout: Layout,
    segments: u32,
    pub(crate) pages_read: u64,
    /// Room for the keys of a page, and for blocks to visit.
    keys: Vec<i32>,
    blocks: Vec<u32>,
    /// Room for the places of rows that are refined, and for the codes of one.
    places: Vec<RowPlace>,
    codes: Vec<u8>,
}

impl ScannedRows {
    pub(crate) fn new(meta: &Meta) -> Self {
        Self {
            layout: meta.layout,
            segments: meta.segments,
            pages_read: 0,
            keys: Vec::new(),
            blocks: Vec::new(),
            places: Vec::new(),
            codes: Vec::new(),
        }
    }

    pub(crate) fn slots(&self) -> u32 {
        self.layout.ordinal(self.layout.scan_pages(self.segments), 0)
    }

    /// The block after the last that belongs to these rows.
    fn end_block(&self) -> u32 {
        self.layout.segment(self.segments).first_block
    }
}

/// Pages that are visited at a time: some tens of microseconds. Across segments, so that the first page of one is fetched
/// while the last of another is read.
const RUN: usize = 128;

/// Wanted rows for each scan page that are many.
const MANY: usize = 2;

/// What a ranking sees of them.
pub(crate) struct Source<'a, F> {
    pub(crate) index: Index,
    pub(crate) query: &'a mut Query,
    pub(crate) rows: &'a mut ScannedRows,
    /// If only some rows are wanted, which.
    pub(crate) wanted: Option<&'a TidSet>,
    pub(crate) table: &'a mut F,
    /// Whether rows whose bound is their distance need not be fetched: there is one order, and no condition.
    pub(crate) has_one_order: bool,
}

/// Bounds all rows of each page, or those that are wanted.
struct CoarsePass<'a> {
    layout: &'a Layout,
    query: &'a mut Query,
    wanted: Option<Finder<'a>>,
    wants_many: bool,
    /// Slots of the page that are not wanted.
    others: Vec<usize>,
    keys: &'a mut Vec<i32>,
    sink: &'a mut dyn FnMut(u32, &[i32]),
    /// The number of the scan page that comes next.
    page: u32,
}

impl PageVisitor for CoarsePass<'_> {
    fn visit(&mut self, _block: u32, page: &Page, next: *const u8) -> Result<(), PageError> {
        let view = ScanPage::of_any_kind(page, self.layout)?;
        self.keys.clear();
        match &mut self.wanted {
            None => self.query.coarse_keys(&view, next, self.keys),
            // Memory is read fastest in order, and most pages have some of the wanted rows.
            Some(wanted) if self.wants_many => {
                self.query.coarse_keys(&view, next, self.keys);
                for (slot, key) in self.keys.iter_mut().enumerate() {
                    if !wanted.has(view.tid(slot)) {
                        *key = Query::FREE;
                    }
                }
            }
            // Codes of pages without any are not even read.
            Some(wanted) => {
                if !next.is_null() {
                    self.layout.tid_lines().for_each(|offset| prefetch_for_later(next.wrapping_add(offset)));
                }
                self.others.clear();
                self.others.extend((0..view.used()).filter(|&slot| !wanted.has(view.tid(slot))));
                if self.others.len() == view.used() {
                    self.keys.resize(view.used(), Query::FREE);
                } else {
                    self.query.coarse_keys(&view, std::ptr::null(), self.keys);
                    self.others.iter().for_each(|&slot| self.keys[slot] = Query::FREE);
                }
            }
        }
        view.check_kind()?;
        (self.sink)(self.layout.ordinal(self.page, 0), self.keys);
        self.page += 1;
        Ok(())
    }
}

/// Refines rows: visits the scan page of each, and then its fine page.
struct Refinement<'a> {
    layout: &'a Layout,
    query: &'a mut Query,
    places: std::slice::Iter<'a, RowPlace>,
    hits: &'a mut Vec<Hit>,
    /// What the scan page said of the row whose fine page comes next.
    codes: &'a mut Vec<u8>,
    waiting: Option<Waiting>,
}

struct Waiting {
    fine_slot: usize,
    tid: Tid,
    constants: [f32; 5],
    /// The key, if the row's state says it.
    key: Option<i32>,
}

impl Refinement<'_> {
    fn visit_scan_page(&mut self, page: &Page) -> Result<(), PageError> {
        let view = ScanPage::new(page, self.layout)?;
        let Some(place) = self.places.next().filter(|place| place.slot < view.used()) else {
            return Err(PageError::Impossible("number of rows"));
        };
        self.codes.clear();
        self.codes.extend_from_slice(view.coarse_code(place.slot));
        self.waiting = Some(Waiting {
            fine_slot: place.fine_slot,
            tid: view.tid(place.slot),
            constants: view.row_constants(place.slot),
            key: self.query.key_of_state(view.state(place.slot)),
        });
        Ok(())
    }

    fn visit_fine_page(&mut self, page: &Page, row: &Waiting) -> Result<(), PageError> {
        let view = FinePage::new(page, self.layout)?;
        let Some((fine, fine_constants)) = view.row(row.fine_slot) else {
            return Err(PageError::Impossible("number of rows"));
        };
        let key = row.key.unwrap_or_else(|| {
            let Waiting { constants, .. } = *row;
            self.query.fine_key(&Refined { constants, fine_constants, coarse: self.codes, fine })
        });
        if key != Query::FREE {
            self.hits.push(Hit { key, tid: row.tid });
        }
        Ok(())
    }
}

impl PageVisitor for Refinement<'_> {
    fn visit(&mut self, _block: u32, page: &Page, _next: *const u8) -> Result<(), PageError> {
        match self.waiting.take() {
            None => self.visit_scan_page(page),
            Some(row) => self.visit_fine_page(page, &row),
        }
    }
}

impl<F: Fetch> Rows for Source<'_, F> {
    fn slots(&self) -> u32 {
        self.rows.slots()
    }

    fn coarse_keys(&mut self, sink: &mut dyn FnMut(u32, &[i32])) {
        let rows = &mut *self.rows;
        let mut reader = Reader::new(self.index, rows.end_block());
        let pages = rows.layout.scan_pages(rows.segments);
        let mut pass = CoarsePass {
            layout: &rows.layout,
            query: &mut *self.query,
            wanted: self.wanted.map(TidSet::finder),
            wants_many: self.wanted.is_some_and(|wanted| wanted.rows() >= MANY * pages as usize),
            others: Vec::new(),
            keys: &mut rows.keys,
            sink,
            page: 0,
        };
        let mut blocks = Vec::new();
        for number in 0..rows.segments {
            blocks.extend(rows.layout.segment(number).scan_blocks());
            if blocks.len() >= RUN || number + 1 == rows.segments {
                check_for_interrupts!();
                reader.visit(&blocks, &mut pass);
                blocks.clear();
            }
        }
        rows.pages_read += reader.pages_read();
    }

    fn refine(&mut self, ordinals: &[u32], hits: &mut Vec<Hit>) {
        check_for_interrupts!();
        let rows = &mut *self.rows;
        let layout = rows.layout;
        let mut reader = Reader::new(self.index, rows.end_block());
        rows.places.clear();
        rows.places.extend(ordinals.iter().map(|&ordinal| {
            let (page, slot) = layout.slot_at(ordinal);
            layout.place(page, slot)
        }));
        for place in &rows.places {
            reader.prefetch(place.scan_block, layout.scan_lines(place.slot));
            reader.prefetch(place.fine_block, layout.fine_lines(place.fine_slot));
        }
        rows.blocks.clear();
        rows.blocks.extend(rows.places.iter().flat_map(|place| [place.scan_block, place.fine_block]));
        let mut refinement = Refinement {
            layout: &layout,
            query: &mut *self.query,
            places: rows.places.iter(),
            hits,
            codes: &mut rows.codes,
            waiting: None,
        };
        reader.visit(&rows.blocks, &mut refinement);
        rows.pages_read += reader.pages_read();
    }
}

impl<F: Fetch> Table for Source<'_, F> {
    fn fetch(&mut self, tid: Tid) -> Option<Ranked> {
        check_for_interrupts!();
        self.table.fetch(tid)
    }

    fn place(&self, key: i32) -> Place {
        Place::of(self.query.distance(key))
    }

    fn has_one_order(&self) -> bool {
        self.has_one_order
    }
}
