//! What a ranking sees of an index and its table.

use std::ops::ControlFlow;

use pgrx::check_for_interrupts;
use vera_vec_core::codes::kernels::prefetch_for_later;
use vera_vec_core::codes::{Interval, Query, Refined};
use vera_vec_core::keys::KeyConditions;
use vera_vec_core::page::{
    Directory, FinePage, Layout, Meta, Page, PageError, RowPlace, ScanPage, Summary, Tid,
};
use vera_vec_core::ranking::{Place, Ranked, Table};
use vera_vec_core::search::{BoundedRow, Rows, Sink};
use vera_vec_core::tid_set::{Finder, TidSet};
use vera_vec_core::within::Limits;

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

/// Which rows are wanted, as far as it can be said without looking at them; all, if there is neither.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) tids: Option<&'a TidSet>,
    pub(crate) keys: Option<&'a KeyConditions>,
}

/// Pages that are visited at a time: some tens of microseconds. Across segments, so that the first page of one is fetched
/// while the last of another is read.
const RUN: usize = 128;

/// What a ranking sees of them.
pub(crate) struct Source<'a, F> {
    pub(crate) index: Index,
    pub(crate) query: &'a mut Query,
    pub(crate) rows: &'a mut ScannedRows,
    pub(crate) wanted: Wanted<'a>,
    /// Rows whose distance is certainly before this place are left out when they are refined.
    pub(crate) start: Place,
    pub(crate) table: &'a mut F,
    /// Whether rows whose bound is their distance need not be fetched: there is one order, and no condition.
    pub(crate) has_one_order: bool,
}

/// Bounds the rows of pages, or those that are wanted.
struct CoarsePass<'a> {
    layout: &'a Layout,
    query: &'a mut Query,
    /// Room for the keys of a page.
    keys: &'a mut Vec<i32>,
    sink: Sink<'a>,
    /// What the sink has said last.
    flow: ControlFlow<()>,
    /// The pages to come.
    pages: std::slice::Iter<'a, WantedPage>,
    /// Which slots of all these pages are wanted, from one page's first on; all, if there are none.
    selection: &'a [bool],
}

/// A page that is bounded.
struct WantedPage {
    number: u32,
    /// Where its slots are in the selection.
    start: usize,
    /// Whether few of them are selected: those are then read and bounded one by one.
    is_sparse: bool,
}

impl WantedPage {
    /// A page whose rows are all wanted.
    fn whole(number: u32) -> Self {
        Self { number, start: usize::MAX, is_sparse: false }
    }

    /// A page by its selected slots; none if there is none.
    fn of(number: u32, start: usize, selection: &[bool]) -> Option<Self> {
        /// Of so many slots one: then a page's lines that are read one by one cost less than all of it in order.
        const SPARSE: usize = 8;
        let count = selection.iter().filter(|&&is_wanted| is_wanted).count();
        (count > 0).then_some(Self { number, start, is_sparse: count * SPARSE <= selection.len() })
    }
}

/// Slots that are selected of a page's, by where they begin in a selection.
fn selected<'a>(
    layout: &Layout,
    selection: &'a [bool],
    start: usize,
) -> impl Iterator<Item = usize> + use<'a> {
    let selection = &selection[start..start + layout.scan_rows];
    (0..).zip(selection).filter(|&(_, &is_wanted)| is_wanted).map(|(slot, _)| slot)
}

impl PageVisitor for CoarsePass<'_> {
    fn visit(&mut self, _block: u32, page: &Page, next: *const u8) -> Result<(), PageError> {
        let Some(WantedPage { number, start, is_sparse }) = self.pages.next() else { return Ok(()) };
        let view = ScanPage::of_any_kind(page, self.layout)?;
        self.keys.clear();
        if *is_sparse {
            if let Some(WantedPage { start, is_sparse: true, .. }) = self.pages.as_slice().first()
                && !next.is_null()
            {
                let lines = selected(self.layout, self.selection, *start)
                    .flat_map(|slot| self.layout.scan_lines(slot));
                lines.for_each(|offset| prefetch_for_later(next.wrapping_add(offset)));
            }
            self.keys.resize(view.used(), Query::FREE);
            for slot in selected(self.layout, self.selection, *start).take_while(|&slot| slot < view.used()) {
                self.keys[slot] = self.query.coarse_key(&view, slot);
            }
        } else {
            self.query.coarse_keys(&view, next, self.keys);
            if let Some(selection) = self.selection.get(*start..) {
                for (key, is_wanted) in self.keys.iter_mut().zip(selection) {
                    if !is_wanted {
                        *key = Query::FREE;
                    }
                }
            }
        }
        view.check_kind()?;
        self.flow = (self.sink)(self.layout.ordinal(*number, 0), self.keys);
        Ok(())
    }
}

/// Says which slots of directory pages are wanted.
struct Selector<'a> {
    layout: &'a Layout,
    tids: Option<Finder<'a>>,
    keys: Option<&'a KeyConditions>,
    /// Of pages visited since it was emptied.
    selection: Vec<bool>,
}

impl PageVisitor for Selector<'_> {
    fn visit(&mut self, _block: u32, page: &Page, _next: *const u8) -> Result<(), PageError> {
        let view = Directory::new(page, self.layout)?;
        let start = self.selection.len();
        self.selection.resize(start + self.layout.directory_rows(), true);
        let selection = &mut self.selection[start..];
        if let Some(keys) = self.keys {
            keys.restrict(&view, selection);
        }
        if let Some(tids) = &mut self.tids {
            for (slot, is_selected) in selection.iter_mut().enumerate() {
                *is_selected = *is_selected && view.tid(slot).is_some_and(|tid| tids.has(tid));
            }
        }
        Ok(())
    }
}

/// Says which segments may have rows that are wanted.
struct SegmentSelector<'a> {
    layout: &'a Layout,
    keys: &'a KeyConditions,
    segments: u32,
    selection: &'a mut Vec<bool>,
}

impl PageVisitor for SegmentSelector<'_> {
    fn visit(&mut self, _block: u32, page: &Page, _next: *const u8) -> Result<(), PageError> {
        let view = Summary::new(page, self.layout)?;
        let left = self.segments as usize - self.selection.len();
        for entry in 0..left.min(self.layout.summary_span() as usize) {
            self.selection.push(self.keys.may_hold(|column| view.range(entry, column)));
        }
        Ok(())
    }
}

/// Looks a TID up.
struct TidLookup<'a> {
    layout: &'a Layout,
    slot: usize,
    tid: Option<Tid>,
}

impl PageVisitor for TidLookup<'_> {
    fn visit(&mut self, _block: u32, page: &Page, _next: *const u8) -> Result<(), PageError> {
        self.tid = Directory::new(page, self.layout)?.tid(self.slot);
        Ok(())
    }
}

/// Refines rows: visits the scan page of each, and then its fine page.
struct Refinement<'a> {
    layout: &'a Layout,
    query: &'a mut Query,
    places: std::iter::Zip<std::slice::Iter<'a, RowPlace>, std::slice::Iter<'a, u32>>,
    start: Place,
    rows: &'a mut Vec<BoundedRow>,
    /// What the scan page said of the row whose fine page comes next.
    codes: &'a mut Vec<u8>,
    waiting: Option<Waiting>,
}

struct Waiting {
    fine_slot: usize,
    ordinal: u32,
    constants: [f32; 5],
    /// Its bounds, if the row's state says them.
    bounds: Option<Interval>,
}

impl Refinement<'_> {
    fn visit_scan_page(&mut self, page: &Page) -> Result<(), PageError> {
        let view = ScanPage::new(page, self.layout)?;
        let Some((place, &ordinal)) = self.places.next().filter(|(place, _)| place.slot < view.used()) else {
            return Err(PageError::Impossible("number of rows"));
        };
        self.codes.clear();
        self.codes.extend_from_slice(view.coarse_code(place.slot));
        self.waiting = Some(Waiting {
            fine_slot: place.fine_slot,
            ordinal,
            constants: view.row_constants(place.slot),
            bounds: self.query.interval_of_state(view.state(place.slot)),
        });
        Ok(())
    }

    fn visit_fine_page(&mut self, page: &Page, row: &Waiting) -> Result<(), PageError> {
        let view = FinePage::new(page, self.layout)?;
        let Some((fine, fine_constants)) = view.row(row.fine_slot) else {
            return Err(PageError::Impossible("number of rows"));
        };
        let bounds = row.bounds.unwrap_or_else(|| {
            let Waiting { constants, .. } = *row;
            self.query.fine_interval(&Refined { constants, fine_constants, coarse: self.codes, fine })
        });
        let place = |key| Place::of(self.query.distance(key));
        let is_before = self.start > Place::FIRST && place(bounds.most) < self.start;
        if bounds.least != Query::FREE && !is_before {
            self.rows.push(BoundedRow { bounds, ordinal: row.ordinal });
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

impl<F: Fetch> Source<'_, F> {
    /// Bounds all rows, from some page on.
    fn bound_all(&mut self, from: u32, sink: Sink<'_>) {
        let rows = &mut *self.rows;
        let mut reader = Reader::new(self.index, rows.end_block());
        let (mut blocks, mut pages) = (Vec::new(), Vec::new());
        for number in 0..rows.segments {
            let segment = rows.layout.segment(number);
            if segment.first_page + segment.scan_pages <= from {
                continue;
            }
            blocks.extend(segment.scan_blocks());
            pages.extend((segment.first_page..).take(segment.scan_pages as usize).map(WantedPage::whole));
            if blocks.len() >= RUN || number + 1 == rows.segments {
                check_for_interrupts!();
                let mut pass = CoarsePass {
                    layout: &rows.layout,
                    query: &mut *self.query,
                    keys: &mut rows.keys,
                    sink,
                    flow: ControlFlow::Continue(()),
                    pages: pages.iter(),
                    selection: &[],
                };
                reader.visit(&blocks, &mut pass);
                if pass.flow.is_break() {
                    break;
                }
                blocks.clear();
                pages.clear();
            }
        }
        rows.pages_read += reader.pages_read();
    }

    /// Bounds the rows that are wanted, from some page on: those of pages that have any, by what their directory pages say.
    fn bound_wanted(&mut self, from: u32, sink: Sink<'_>) {
        let rows = &mut *self.rows;
        let layout = rows.layout;
        let mut reader = Reader::new(self.index, rows.end_block());
        let segments = self.wanted.keys.and_then(|keys| select_segments(&mut reader, rows, keys));
        let mut directories = wanted_directories(&layout, rows.segments, segments.as_deref());
        directories.retain(|directory| (directory + 1) * layout.directory_span > from);
        let end_page = layout.scan_pages(rows.segments);
        let mut selector = Selector {
            layout: &layout,
            tids: self.wanted.tids.map(TidSet::finder),
            keys: self.wanted.keys,
            selection: Vec::new(),
        };
        let (mut blocks, mut pages) = (Vec::new(), Vec::new());
        // As many scan pages at a time as in a run.
        for some in directories.chunks((RUN / layout.directory_span as usize).max(1)) {
            check_for_interrupts!();
            selector.selection.clear();
            blocks.clear();
            blocks.extend(some.iter().map(|&directory| layout.directory_block(directory)));
            reader.visit(&blocks, &mut selector);
            let selection = &selector.selection;
            blocks.clear();
            pages.clear();
            let slots = some.iter().flat_map(|&directory| {
                let first = directory * layout.directory_span;
                first..first + layout.directory_span
            });
            for (number, start) in slots.zip((0..).step_by(layout.scan_rows)) {
                if number < end_page {
                    pages.extend(WantedPage::of(number, start, &selection[start..start + layout.scan_rows]));
                }
            }
            blocks.extend(pages.iter().map(|page| layout.scan_block(page.number)));
            let mut pass = CoarsePass {
                layout: &layout,
                query: &mut *self.query,
                keys: &mut rows.keys,
                sink,
                flow: ControlFlow::Continue(()),
                pages: pages.iter(),
                selection,
            };
            reader.visit(&blocks, &mut pass);
            if pass.flow.is_break() {
                break;
            }
        }
        rows.pages_read += reader.pages_read();
    }
}

/// The share of an index's rows whose lower bound is within limits, by those of some pages.
pub(crate) fn share_within(index: Index, meta: &Meta, query: &mut Query, limits: Limits) -> f64 {
    const PAGES: u32 = 32;

    let layout = &meta.layout;
    let count = layout.scan_pages(meta.segments);
    let numbers = (0..count).step_by(count.div_ceil(PAGES).max(1) as usize);
    let pages: Vec<WantedPage> = numbers.map(WantedPage::whole).collect();
    let blocks: Vec<u32> = pages.iter().map(|page| layout.scan_block(page.number)).collect();
    let (mut room, mut keys) = (Vec::new(), Vec::new());
    let mut pass = CoarsePass {
        layout,
        query: &mut *query,
        keys: &mut room,
        sink: &mut |_, run| {
            keys.extend_from_slice(run);
            ControlFlow::Continue(())
        },
        flow: ControlFlow::Continue(()),
        pages: pages.iter(),
        selection: &[],
    };
    Reader::new(index, layout.segment(meta.segments).first_block).visit(&blocks, &mut pass);
    keys.retain(|&key| key != Query::FREE);
    let place = |key| Place::of(query.distance(key));
    let within = keys.iter().filter(|&&key| limits.include(place(key), place(key))).count();
    #[allow(clippy::cast_precision_loss)] // some thousands
    {
        // Not none, if there is none among these.
        (within as f64 + 0.5) / (keys.len() as f64 + 1.0)
    }
}

/// Which segments may have rows that meet conditions; None if nothing is known of segments.
fn select_segments(reader: &mut Reader, rows: &ScannedRows, keys: &KeyConditions) -> Option<Vec<bool>> {
    let span = rows.layout.summary_span();
    if span == 0 {
        return None;
    }
    let blocks: Vec<u32> = (0..rows.segments)
        .step_by(span as usize)
        .filter_map(|segment| rows.layout.summary(segment).map(|(block, _)| block))
        .collect();
    let mut selection = Vec::with_capacity(rows.segments as usize);
    let mut selector =
        SegmentSelector { layout: &rows.layout, keys, segments: rows.segments, selection: &mut selection };
    reader.visit(&blocks, &mut selector);
    Some(selection)
}

/// The numbers of the directory pages that have rows of some segments, or of all.
fn wanted_directories(layout: &Layout, segments: u32, wanted: Option<&[bool]>) -> Vec<u32> {
    let Some(wanted) = wanted else { return (0..layout.directories(segments)).collect() };
    let mut directories = Vec::new();
    for (number, _) in (0..segments).zip(wanted).filter(|&(_, &is_wanted)| is_wanted) {
        let segment = layout.segment(number);
        let first = segment.first_page / layout.directory_span;
        let last = (segment.first_page + segment.scan_pages - 1) / layout.directory_span;
        // The one before may end with the page that this one begins with.
        let first = directories.last().map_or(first, |&before: &u32| first.max(before + 1));
        directories.extend(first..=last);
    }
    directories
}

impl<F: Fetch> Rows for Source<'_, F> {
    fn slots(&self) -> u32 {
        self.rows.slots()
    }

    fn coarse_keys(&mut self, from: u32, sink: Sink<'_>) {
        let (page, _) = self.rows.layout.slot_at(from);
        if self.wanted.tids.is_none() && self.wanted.keys.is_none() {
            self.bound_all(page, sink);
        } else {
            self.bound_wanted(page, sink);
        }
    }

    fn refine(&mut self, ordinals: &[u32], refined: &mut Vec<BoundedRow>) {
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
            places: rows.places.iter().zip(ordinals),
            start: self.start,
            rows: refined,
            codes: &mut rows.codes,
            waiting: None,
        };
        reader.visit(&rows.blocks, &mut refinement);
        rows.pages_read += reader.pages_read();
    }
}

impl<F: Fetch> Table for Source<'_, F> {
    fn tid(&mut self, ordinal: u32) -> Option<Tid> {
        let rows = &mut *self.rows;
        let (page, slot) = rows.layout.slot_at(ordinal);
        let place = rows.layout.place(page, slot);
        let mut lookup = TidLookup { layout: &rows.layout, slot: place.directory_slot, tid: None };
        let mut reader = Reader::new(self.index, rows.layout.segment(rows.segments).first_block);
        reader.visit(&[place.directory_block], &mut lookup);
        rows.pages_read += reader.pages_read();
        lookup.tid
    }

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
