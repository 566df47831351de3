//! Building an index.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_void};

use pgrx::{PgSqlErrorCode, check_for_interrupts, pg_guard, pg_sys};
use rayon::prelude::*;
use vera_vec_core::codes::{EncodedRow, Encoder, center_for};
use vera_vec_core::keys::Key;
use vera_vec_core::page::{
    self, CenterPage, DirectoryMut, FinePageMut, Layout, Meta, PAGE_SIZE, Page, PageError, ScanPageMut,
    Segment, SummaryMut, Tid,
};

use super::columns::Columns;
use super::sort::Sorter;
use super::{insert, value};
use crate::error;
use crate::postgres::Scratch;
use crate::storage::{Index, LockedPage};

/// Phases of a build, as `pg_stat_progress_create_index` names them.
#[derive(Debug, Clone, Copy)]
enum Phase {
    // PostgreSQL's own PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE
    Initialize = 1,
    Sample = 2,
    Encode = 3,
    Sort = 4,
    Log = 5,
}

#[pg_guard]
pub(super) unsafe extern "C-unwind" fn ambuildphasename(phase: i64) -> *mut c_char {
    const NAMES: [(Phase, &CStr); 5] = [
        (Phase::Initialize, c"initializing"),
        (Phase::Sample, c"sampling the centre"),
        (Phase::Encode, c"encoding rows"),
        (Phase::Sort, c"sorting rows by their first key"),
        (Phase::Log, c"writing WAL"),
    ];
    NAMES
        .into_iter()
        .find(|&(number, _)| number as i64 == phase)
        .map_or(std::ptr::null_mut(), |(_, name)| name.as_ptr().cast_mut())
}

fn report_progress(parameter: u32, value: i64) {
    // SAFETY: a parameter of CREATE INDEX's.
    unsafe {
        pg_sys::pgstat_progress_update_param(parameter.cast_signed(), value);
    }
}

/// Rows of the sample that the centre is the mean of: enough for the mean to be a thirtieth of a row's spread off.
const SAMPLE_ROWS: usize = 1024;
/// Places of the table that it is taken from, at most.
const SAMPLE_PLACES: u32 = 256;

/// Builds an index from its table.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn ambuild(
    heap: pg_sys::Relation,
    relation: pg_sys::Relation,
    index_info: *mut pg_sys::IndexInfo,
) -> *mut pg_sys::IndexBuildResult {
    // SAFETY: PostgreSQL gives an open, empty index of this access method that nobody else knows.
    let (index, columns, dimensions, kind) = unsafe {
        let columns = Columns::of(relation);
        let vector = columns.vector;
        let (dimensions, kind) =
            (value::declared_dimensions(relation, vector), value::code_kind(relation, vector));
        (Index::new(relation), columns, dimensions, kind)
    };
    if index.blocks() != 0 {
        error::raise(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            format!("index \"{}\" already contains data", index.name()),
        );
    }
    report_progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, Phase::Sample as i64);
    // SAFETY: PostgreSQL gives the open table.
    let center = unsafe { sample_center(heap, relation, index_info, columns.vector, dimensions) };
    let mut builder = Builder::new(index, columns, Encoder::new(kind, center));

    report_progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, Phase::Encode as i64);
    // SAFETY: the callback gets the builder, and nothing else uses it meanwhile.
    let heap_tuples = unsafe {
        // Not synchronised with other scans: rows are to be in the table's order.
        pg_sys::table_index_build_scan(
            heap,
            relation,
            index_info,
            false,
            true,
            Some(add_row),
            std::ptr::from_mut(&mut builder).cast(),
            std::ptr::null_mut(),
        )
    };
    let index_tuples = builder.finish();

    // SAFETY: allocates in the caller's memory context.
    unsafe {
        let result =
            pg_sys::palloc0(size_of::<pg_sys::IndexBuildResult>()).cast::<pg_sys::IndexBuildResult>();
        (*result).heap_tuples = heap_tuples;
        #[allow(clippy::cast_precision_loss)] // an estimate for statistics
        {
            (*result).index_tuples = index_tuples as f64;
        }
        result
    }
}

/// # Safety
/// Called by `table_index_build_scan` with a [`Builder`].
#[pg_guard]
unsafe extern "C-unwind" fn add_row(
    _index: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut pg_sys::Datum,
    isnull: *mut bool,
    _tuple_is_alive: bool,
    state: *mut c_void,
) {
    // SAFETY: the caller's, who gives a value for each column.
    unsafe {
        let builder = &mut *state.cast::<Builder>();
        let column = builder.columns.vector;
        let vector = value::vector(*values.add(column), *isnull.add(column));
        builder.scratch.run(|| builder.waiting_keys.extend(builder.columns.keys(values, isnull)));
        builder.add(vector.as_deref(), value::tid(tid));
    }
}

/// The sum of some rows.
struct Sample {
    /// The vector's column.
    column: usize,
    sums: Vec<f64>,
    rows: usize,
}

/// # Safety
/// Called by `table_index_build_range_scan` with a [`Sample`].
#[pg_guard]
unsafe extern "C-unwind" fn sample_row(
    _index: pg_sys::Relation,
    _tid: pg_sys::ItemPointer,
    values: *mut pg_sys::Datum,
    isnull: *mut bool,
    _tuple_is_alive: bool,
    state: *mut c_void,
) {
    // SAFETY: the caller's.
    let (sample, vector) = unsafe {
        let sample = &mut *state.cast::<Sample>();
        let column = sample.column;
        (sample, value::vector(*values.add(column), *isnull.add(column)))
    };
    if let Some(vector) = vector {
        value::check_dimensions(sample.sums.len(), &vector);
        for (sum, &component) in sample.sums.iter_mut().zip(vector.iter()) {
            *sum += f64::from(component);
        }
        sample.rows += 1;
    }
}

/// The mean of rows from places all over the table; zero if there are none.
///
/// # Safety
/// The relations are open.
unsafe fn sample_center(
    heap: pg_sys::Relation,
    relation: pg_sys::Relation,
    index_info: *mut pg_sys::IndexInfo,
    column: usize,
    dimensions: usize,
) -> Vec<f32> {
    // SAFETY: the caller's.
    let blocks = unsafe { pg_sys::RelationGetNumberOfBlocksInFork(heap, pg_sys::ForkNumber::MAIN_FORKNUM) };
    let mut sample = Sample { column, sums: vec![0.0; dimensions], rows: 0 };
    let places = blocks.min(SAMPLE_PLACES);
    for place in 0..places {
        if sample.rows >= SAMPLE_ROWS {
            break;
        }
        // Steps of an odd number near the golden ratio of a power of two visit all places, far ones first.
        let spread = u64::from(place.wrapping_mul(159) % SAMPLE_PLACES);
        let position = if places == blocks {
            u64::from(place)
        } else {
            spread * u64::from(blocks) / u64::from(SAMPLE_PLACES)
        };
        #[allow(clippy::cast_possible_truncation)] // below `blocks`
        // SAFETY: the callback gets the sample, and nothing else uses it meanwhile.
        unsafe {
            pg_sys::table_index_build_range_scan(
                heap,
                relation,
                index_info,
                false,
                // Rows that are not visible to all will do; a concurrent build looks at none but its snapshot's.
                !(*index_info).ii_Concurrent,
                false,
                position as u32,
                1,
                Some(sample_row),
                std::ptr::from_mut(&mut sample).cast(),
                std::ptr::null_mut(),
            );
        }
    }
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // a mean, rounded
    let mean = sample.sums.iter().map(|sum| (sum / sample.rows.max(1) as f64) as f32).collect();
    center_for(mean)
}

/// Rows on their way into a new index.
struct Builder {
    index: Index,
    columns: Columns,
    encoder: Encoder,
    layout: Layout,
    /// Threads for encoding, started by the first full batch: a small table is done before they are.
    pool: OnceCell<Option<rayon::ThreadPool>>,
    /// Rows that wait to be encoded: where they are, whether they are NULL, and their components one after the other.
    waiting: Vec<(Tid, bool)>,
    components: Vec<f32>,
    /// Their keys, likewise.
    waiting_keys: Vec<Key>,
    /// For what key functions allocate.
    scratch: Scratch,
    encoded: Vec<EncodedRow>,
    /// If there are keys: rows go into pages in the order of the first.
    sorter: Option<Sorter>,
    segments: u32,
    segment: SegmentPages,
    /// Directory and summary pages that are not complete, by their blocks. Some belong to segments that have been written.
    open: BTreeMap<u32, Page>,
    /// Rows of the table so far, and rows in pages.
    scanned: u64,
    rows: u64,
}

/// The scan pages and fine pages of the segment that is being filled.
struct SegmentPages {
    place: Segment,
    pages: Vec<Page>,
    rows: usize,
}

impl SegmentPages {
    fn new(layout: &Layout, number: u32) -> Self {
        let place = layout.segment(number);
        let mut pages = vec![[0; PAGE_SIZE]; (place.scan_pages + place.fine_pages) as usize];
        for (page, block) in pages.iter_mut().zip(place.first_block..) {
            insert::init_page(layout, &place, block, page);
        }
        Self { place, pages, rows: 0 }
    }
}

impl Builder {
    /// Writes everything that comes before the rows.
    fn new(index: Index, columns: Columns, encoder: Encoder) -> Self {
        let layout = Layout::new(encoder.kind(), encoder.dimensions(), columns.key_count());
        for (block, image) in first_pages(&layout, encoder.center()).iter().enumerate() {
            write_page(index, image, block);
        }
        /// Rows are encoded this many at a time, which is some milliseconds.
        const BATCH: usize = 256;
        // A row waits as float32, and is encoded with about twice as much beside it.
        let row_size = encoder.dimensions() * 4 * size_of::<f32>() + 256;
        // SAFETY: a setting of PostgreSQL's.
        let memory = usize::try_from(unsafe { pg_sys::maintenance_work_mem }).unwrap_or(0) * 1024;
        let batch = (memory / row_size).clamp(1, BATCH);
        Self {
            index,
            layout,
            pool: OnceCell::new(),
            waiting: Vec::with_capacity(batch),
            components: Vec::with_capacity(batch * encoder.dimensions()),
            waiting_keys: Vec::with_capacity(batch * layout.keys),
            // SAFETY: that of the statement.
            scratch: unsafe { Scratch::new(pg_sys::CurrentMemoryContext) },
            encoded: vec![EncodedRow::new(encoder.dimensions()); batch],
            sorter: (layout.keys > 0).then(Sorter::new),
            segments: 0,
            segment: SegmentPages::new(&layout, 0),
            open: BTreeMap::new(),
            columns,
            scanned: 0,
            rows: 0,
            encoder,
        }
    }

    fn add(&mut self, vector: Option<&[f32]>, tid: Tid) {
        let dimensions = self.layout.dimensions;
        self.waiting.push((tid, vector.is_none()));
        match vector {
            Some(vector) => {
                value::check_dimensions(dimensions, vector);
                self.components.extend_from_slice(vector);
            }
            None => self.components.resize(self.components.len() + dimensions, 0.0),
        }
        if self.waiting.len() == self.encoded.len() {
            self.encode_waiting();
        }
    }

    fn encode_waiting(&mut self) {
        check_for_interrupts!();
        let encoder = &self.encoder;
        let encode = |(encoded, (vector, &(_, is_null))): (&mut EncodedRow, (&[f32], &(Tid, bool)))| {
            encoder.encode((!is_null).then_some(vector), encoded);
        };
        let dimensions = self.layout.dimensions;
        let is_full_batch = self.waiting.len() == self.encoded.len() && self.encoded.len() > 1;
        let pool = if is_full_batch { self.pool.get_or_init(thread_pool).as_ref() } else { None };
        match pool {
            // Plain memory only; see `thread_pool`.
            Some(pool) => pool.install(|| {
                self.encoded
                    .par_iter_mut()
                    .zip(self.components.par_chunks_exact(dimensions).zip(&self.waiting))
                    .for_each(encode);
            }),
            None => {
                self.encoded
                    .iter_mut()
                    .zip(self.components.chunks_exact(dimensions).zip(&self.waiting))
                    .for_each(encode);
            }
        }
        let keys = self.layout.keys;
        let (waiting, encoded) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.encoded));
        let waiting_keys = std::mem::take(&mut self.waiting_keys);
        for (number, (&(tid, _), row)) in waiting.iter().zip(&encoded).enumerate() {
            let keys = &waiting_keys[number * keys..(number + 1) * keys];
            match &mut self.sorter {
                Some(sorter) => sorter.put(tid, keys, row),
                None => self.put(tid, keys, row),
            }
        }
        (self.waiting, self.encoded, self.waiting_keys) = (waiting, encoded, waiting_keys);
        self.scanned += self.waiting.len() as u64;
        self.waiting.clear();
        self.waiting_keys.clear();
        self.components.clear();
        report_progress(
            pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE,
            i64::try_from(self.scanned).unwrap_or(i64::MAX),
        );
    }

    /// Puts an encoded row into the segment.
    fn put(&mut self, tid: Tid, keys: &[Key], row: &EncodedRow) {
        if let Err(error) = self.try_put(tid, keys, row) {
            self.index.report(self.segment.place.first_block, &error);
        }
        self.segment.rows += 1;
        self.rows += 1;
        if self.segment.rows == self.segment.place.scan_pages as usize * self.layout.scan_rows {
            self.write_segment();
        }
    }

    fn try_put(&mut self, tid: Tid, keys: &[Key], row: &EncodedRow) -> Result<(), PageError> {
        let layout = &self.layout;
        let Segment { first_page, scan_pages, .. } = self.segment.place;
        let number = self.segment.rows;
        let (scan_page, slot) = (number / layout.scan_rows, number % layout.scan_rows);
        let (scan, fine) = self.segment.pages.split_at_mut(scan_pages as usize);
        ScanPageMut::new(&mut scan[scan_page], layout)?.put(slot, row);
        FinePageMut::new(&mut fine[number / layout.fine_rows], layout)?.put(number % layout.fine_rows, row);

        #[allow(clippy::cast_possible_truncation)] // in a segment
        let place = layout.place(first_page + scan_page as u32, slot);
        let directory = self.open.entry(place.directory_block).or_insert_with(|| {
            let mut page = [0; PAGE_SIZE];
            DirectoryMut::init(&mut page, layout);
            page
        });
        DirectoryMut::new(directory, layout)?.put(place.directory_slot, tid, keys);
        if let Some((block, entry)) = layout.summary(self.segments) {
            let summary = self.open.entry(block).or_insert_with(|| {
                let mut page = [0; PAGE_SIZE];
                SummaryMut::init(&mut page, layout);
                page
            });
            SummaryMut::new(summary, layout)?.widen(entry, keys);
        }
        Ok(())
    }

    fn write_segment(&mut self) {
        if self.segments >= self.layout.most_segments() {
            error::raise(
                PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                format!("index \"{}\" cannot have more than {} rows", self.index.name(), self.rows),
            );
        }
        let place = self.segment.place;
        for (image, block) in self.segment.pages.iter().zip(place.first_block..) {
            check_for_interrupts!();
            write_page(self.index, image, block as usize);
        }
        for block in place.directory_blocks().chain(place.summary_blocks()) {
            let mut empty = [0; PAGE_SIZE];
            insert::init_page(&self.layout, &place, block, &mut empty);
            write_page(self.index, self.open.get(&block).unwrap_or(&empty), block as usize);
        }
        for (&block, image) in self.open.range(..place.first_block) {
            let mut page = LockedPage::read(self.index, block, crate::storage::Mode::Exclusive);
            let bytes = page.page_mut();
            bytes.copy_from_slice(image);
            page::seal(bytes, block);
        }
        self.segments += 1;
        self.segment = SegmentPages::new(&self.layout, self.segments);
        let next = self.layout.place(self.segment.place.first_page, 0).directory_block;
        let summary = self.layout.summary(self.segments).map(|(block, _)| block);
        self.open.retain(|&block, _| block == next || Some(block) == summary);
    }

    /// Writes what is left, and logs the index. Returns the number of rows.
    fn finish(mut self) -> u64 {
        self.encode_waiting();
        if let Some(sorter) = self.sorter.take() {
            report_progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, Phase::Sort as i64);
            let layout = self.layout;
            sorter.sort(&layout, |tid, keys, row| self.put(tid, keys, row));
        }
        let partial = (self.segment.rows > 0).then_some((self.segment.place, self.segment.rows));
        if partial.is_some() {
            self.write_segment();
        }
        {
            let mut page = LockedPage::read(self.index, 0, crate::storage::Mode::Exclusive);
            page.view(Meta::read);
            let bytes = page.page_mut();
            Meta::write_segments(bytes, self.segments);
            page::seal(bytes, 0);
        }
        if self.index.needs_wal() {
            report_progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, Phase::Log as i64);
            // SAFETY: nobody else knows the index; all of its pages have PostgreSQL's standard header and hole.
            unsafe {
                pg_sys::log_newpage_range(
                    self.index.relation(),
                    pg_sys::ForkNumber::MAIN_FORKNUM,
                    0,
                    self.index.blocks(),
                    true,
                );
            }
        }
        if let Some((place, rows)) = partial {
            let full_pages = u32::try_from(rows / self.layout.scan_rows).unwrap_or(u32::MAX);
            insert::publish_room(self.index, place.scan_blocks().skip(full_pages as usize));
        }
        self.rows
    }
}

/// Block 0 and the centre of an index without rows.
fn first_pages(layout: &Layout, center: &[f32]) -> Vec<Page> {
    let mut pages = vec![[0; PAGE_SIZE]; 1 + layout.center_blocks() as usize];
    let created_by =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")]
            .map(|number| number.parse().unwrap_or(0));
    Meta { layout: *layout, segments: 0, created_by }.write(&mut pages[0]);
    for number in 0..layout.center_blocks() {
        CenterPage::write(&mut pages[1 + number as usize], &center[CenterPage::range(layout, number)]);
    }
    pages
}

/// Appends a page to an index that nobody else knows.
fn write_page(index: Index, image: &Page, block: usize) {
    let mut page = LockedPage::extend(index);
    debug_assert_eq!(page.block() as usize, block);
    let block = page.block();
    let bytes = page.page_mut();
    bytes.copy_from_slice(image);
    page::seal(bytes, block);
}

/// Makes the init fork of an unlogged index: what it is again after a crash.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn ambuildempty(relation: pg_sys::Relation) {
    // SAFETY: PostgreSQL gives an open index of this access method that nobody else knows.
    let layout = unsafe {
        let columns = Columns::of(relation);
        let (kind, dimensions) = (
            value::code_kind(relation, columns.vector),
            value::declared_dimensions(relation, columns.vector),
        );
        Layout::new(kind, dimensions, columns.key_count())
    };
    let center = vec![0.0; layout.dimensions];
    for (image, block) in first_pages(&layout, &center).iter_mut().zip(0..) {
        page::seal(image, block);
        // SAFETY: the relation is open and nobody else extends it; the page is a new one, pinned and locked, and has
        // PostgreSQL's standard header. Between the two changes of the count there is no error that could be caught.
        unsafe {
            let buffer = pg_sys::ReadBufferExtended(
                relation,
                pg_sys::ForkNumber::INIT_FORKNUM,
                pg_sys::InvalidBlockNumber,
                pg_sys::ReadBufferMode::RBM_NORMAL,
                std::ptr::null_mut(),
            );
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_EXCLUSIVE.cast_signed());
            pg_sys::CritSectionCount += 1;
            pg_sys::BufferGetBlock(buffer).cast::<Page>().write(*image);
            pg_sys::MarkBufferDirty(buffer);
            // Always: it has to be there when a crash has taken the main fork away.
            pg_sys::log_newpage_buffer(buffer, true);
            pg_sys::CritSectionCount -= 1;
            pg_sys::UnlockReleaseBuffer(buffer);
        }
    }
}

/// Threads that encode rows, as many as PostgreSQL would use processes for building an index; none for one.
///
/// They touch plain memory only: nothing of PostgreSQL may be called from another thread. All signals are blocked in
/// them, so that PostgreSQL's handlers run on the main thread.
fn thread_pool() -> Option<rayon::ThreadPool> {
    // SAFETY: a setting of PostgreSQL's.
    let workers = unsafe { pg_sys::max_parallel_maintenance_workers };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(usize::try_from(workers).unwrap_or(0) + 1);
    if threads < 2 {
        return None;
    }
    // Threads inherit the mask of the one that starts them.
    // SAFETY: the sets are initialised by the first two calls; the mask is put back as it was.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        pool.ok()
    }
}
