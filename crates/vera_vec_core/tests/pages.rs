//! Pages: what is written is read, wherever; format version 2 is read for ever; damage is found.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // in tests

use proptest::prelude::*;
use vera_vec_core::MAX_DIM;
use vera_vec_core::codes::{CodeKind, EncodedRow, Encoder, RowState};
use vera_vec_core::page::{
    self, CenterPage, Directory, DirectoryMut, FinePage, FinePageMut, Layout, Meta, Page, PageError,
    ScanPage, ScanPageMut, Summary, SummaryMut, Tid,
};

#[repr(align(64))]
#[derive(Clone)]
struct AlignedPage(Page);

fn empty() -> Box<AlignedPage> {
    Box::new(AlignedPage([0; 8192]))
}

fn layouts() -> impl Strategy<Value = Layout> {
    let dimensions = prop_oneof![1usize..200, Just(384usize), Just(1536usize), 1usize..=MAX_DIM];
    let keys = prop_oneof![3 => 0usize..4, 1 => 4..=Layout::MAX_KEYS];
    (prop_oneof![Just(CodeKind::Rotated), Just(CodeKind::Taxicab)], dimensions, keys)
        .prop_map(|(kind, dimensions, keys)| Layout::new(kind, dimensions, keys))
}

/// A row whose every byte follows from a number.
fn row(layout: &Layout, number: usize) -> EncodedRow {
    let mut row = EncodedRow::new(layout.dimensions);
    row.state = [RowState::Coded, RowState::Null, RowState::Unbounded, RowState::Zero][number % 4];
    row.constants =
        std::array::from_fn(|i| if i < layout.kind.constants() { (number * 10 + i) as f32 } else { 0.0 });
    row.fine_constants = std::array::from_fn(|i| {
        if i < layout.kind.fine_constants() { (number * 10 + i) as f32 + 0.5 } else { 0.0 }
    });
    for (i, (coarse, fine)) in row.coarse.iter_mut().zip(&mut row.fine).enumerate() {
        (*coarse, *fine) = ((number + i) as u8, (number * 3 + i) as u8);
    }
    row
}

fn entry(layout: &Layout, number: usize) -> (Tid, Vec<u64>) {
    let tid = Tid { block: number as u32 * 3, offset: 1 + (number % 200) as u16 };
    (tid, (0..layout.keys).map(|column| (number * 100 + column) as u64).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Puts, frees and takes slots again, against a model.
    #[test]
    fn scan_pages_hold_what_was_put(layout in layouts(), steps in proptest::collection::vec((any::<bool>(), 0usize..1000), 0..400)) {
        let mut image = empty();
        ScanPageMut::init(&mut image.0, &layout);
        let mut model: Vec<Option<usize>> = Vec::new();
        for (put, number) in steps {
            if put {
                let slot = ScanPage::new(&image.0, &layout).unwrap().free_slot();
                let Some(slot) = slot else {
                    prop_assert!(model.len() == layout.scan_rows && model.iter().all(Option::is_some));
                    continue;
                };
                let row = row(&layout, number);
                ScanPageMut::new(&mut image.0, &layout).unwrap().put(slot, &row);
                if slot == model.len() {
                    model.push(None);
                }
                prop_assert!(model[slot].replace(number).is_none(), "a free slot");
            } else if !model.is_empty() {
                let slot = number % model.len();
                if model[slot].take().is_some() {
                    let state = ScanPage::new(&image.0, &layout).unwrap().state(slot);
                    ScanPageMut::new(&mut image.0, &layout).unwrap().free(slot, state);
                }
            }
        }
        page::seal(&mut image.0, 77);
        page::check_seal(&image.0, 77).unwrap();
        let view = ScanPage::new(&image.0, &layout).unwrap();
        view.check_states().unwrap();
        prop_assert_eq!(view.used(), model.len());
        prop_assert_eq!(view.live(), model.iter().flatten().count());
        prop_assert_eq!(view.has_room(), view.live() < layout.scan_rows);
        for (slot, number) in model.iter().enumerate() {
            let Some(number) = number else {
                prop_assert_eq!(view.state(slot), RowState::Free);
                continue;
            };
            let row = row(&layout, *number);
            prop_assert_eq!(view.state(slot), row.state);
            prop_assert_eq!(view.row_constants(slot), row.constants);
            prop_assert_eq!(view.coarse_code(slot), &row.coarse[..]);
        }
    }

    #[test]
    fn fine_pages_hold_what_was_put(layout in layouts(), slots in proptest::collection::vec(0usize..10_000, 1..60)) {
        let mut image = empty();
        FinePageMut::init(&mut image.0, &layout);
        let mut model = std::collections::HashMap::new();
        for number in slots {
            let slot = number % layout.fine_rows;
            FinePageMut::new(&mut image.0, &layout).unwrap().put(slot, &row(&layout, number));
            model.insert(slot, number);
        }
        let view = FinePage::new(&image.0, &layout).unwrap();
        for (slot, number) in model {
            let row = row(&layout, number);
            prop_assert_eq!(view.row(slot).unwrap(), (&row.fine[..], row.fine_constants));
        }
    }

    /// Puts and frees slots, against a model.
    #[test]
    fn directories_and_summaries_hold_what_was_put(layout in layouts(), steps in proptest::collection::vec((any::<bool>(), 0usize..10_000), 1..100)) {
        let (mut image, mut summary) = (empty(), empty());
        DirectoryMut::init(&mut image.0, &layout);
        if layout.keys > 0 {
            SummaryMut::init(&mut summary.0, &layout);
        }
        let mut model = std::collections::HashMap::new();
        let (mut least, mut greatest) = (None::<usize>, None::<usize>);
        let last_entry = layout.summary_span().saturating_sub(1) as usize;
        for (put, number) in steps {
            let slot = number % layout.directory_rows();
            let mut view = DirectoryMut::new(&mut image.0, &layout).unwrap();
            if put {
                let (tid, keys) = entry(&layout, number);
                view.put(slot, tid, &keys);
                if layout.keys > 0 {
                    let is_within = least.is_some_and(|least| least <= number) && greatest >= Some(number);
                    prop_assert_eq!(Summary::new(&summary.0, &layout).unwrap().has(last_entry, &keys), is_within);
                    SummaryMut::new(&mut summary.0, &layout).unwrap().widen(last_entry, &keys);
                }
                least = Some(least.map_or(number, |least| least.min(number)));
                greatest = greatest.max(Some(number));
                model.insert(slot, number);
            } else {
                view.free(slot);
                model.remove(&slot);
            }
        }
        let view = Directory::new(&image.0, &layout).unwrap();
        for slot in 0..layout.directory_rows() {
            let expected = model.get(&slot).map(|&number| entry(&layout, number));
            prop_assert_eq!(view.tid(slot), expected.as_ref().map(|entry| entry.0));
            if let Some((_, keys)) = expected {
                prop_assert_eq!((0..layout.keys).map(|column| view.keys(column)[slot]).collect::<Vec<_>>(), keys);
            }
        }
        if layout.keys > 0 {
            let view = Summary::new(&summary.0, &layout).unwrap();
            let range = least.zip(greatest).map_or((u64::MAX, 0), |(least, greatest)| (least as u64 * 100, greatest as u64 * 100));
            prop_assert_eq!(view.range(last_entry, 0), range);
            prop_assert_eq!(view.range(0, layout.keys - 1), if last_entry == 0 { view.range(last_entry, layout.keys - 1) } else { (u64::MAX, 0) });
        }
    }

    /// Every slot has a place of its own, and is found again from its ordinal and its block.
    #[test]
    fn places_are_different(layout in layouts(), segments in prop_oneof![1u32..40, 40u32..1400]) {
        let mut scan = std::collections::HashSet::new();
        let mut fine = std::collections::HashSet::new();
        let mut directory = std::collections::HashSet::new();
        let mut directories = 0;
        let mut end = 1 + layout.center_blocks();
        for number in 0..segments {
            let segment = layout.segment(number);
            prop_assert_eq!(segment.first_block, end);
            end = segment.end_block();
            for (block, page) in segment.scan_blocks().zip(segment.first_page..).step_by(1 + segments as usize / 40) {
                prop_assert_eq!(layout.page_at(block, segments), Some((segment, page)));
                prop_assert_eq!(layout.scan_block(page), block);
                for slot in [0, layout.scan_rows / 2, layout.scan_rows - 1] {
                    let place = layout.place(page, slot);
                    prop_assert_eq!(place.scan_block, block);
                    prop_assert!(segment.fine_blocks().contains(&place.fine_block));
                    prop_assert!(place.fine_slot < layout.fine_rows);
                    prop_assert!(place.directory_slot < layout.directory_rows());
                    if slot == 0 || layout.scan_rows > 2 {
                        let is_new = scan.insert((place.scan_block, slot));
                        prop_assert_eq!(fine.insert((place.fine_block, place.fine_slot)), is_new);
                        prop_assert_eq!(directory.insert((place.directory_block, place.directory_slot)), is_new);
                    }
                    let first = layout.segment(Layout::segment_of_page(page / layout.directory_span * layout.directory_span));
                    prop_assert!(first.directory_blocks().contains(&place.directory_block));
                    prop_assert_eq!(layout.slot_at(layout.ordinal(page, slot)), (page, slot));
                }
            }
            prop_assert_eq!(Layout::segment_of_page(segment.first_page), number);
            for block in segment.fine_blocks().chain(segment.directory_blocks()).chain(segment.summary_blocks()) {
                prop_assert_eq!(layout.page_at(block, segments), None);
            }
            prop_assert_eq!(segment.fine_blocks().end, segment.directory_blocks().start);
            prop_assert_eq!(segment.directory_blocks().end, segment.summary_blocks().start);
            for block in segment.directory_blocks() {
                prop_assert_eq!(layout.directory_block(directories), block);
                directories += 1;
            }
            if let Some((block, entry)) = layout.summary(number) {
                prop_assert_eq!(layout.segment(number - entry as u32).summary_blocks(), block..block + 1);
                prop_assert_eq!(entry as u32, number % layout.summary_span());
            }
            prop_assert_eq!(layout.summary(number).is_none(), layout.keys == 0);
        }
        prop_assert_eq!(layout.directories(segments), directories);
        prop_assert_eq!(layout.page_at(end, segments), None);
        prop_assert_eq!(layout.page_at(0, segments), None);
    }

    /// A flipped bit is found by the seal, or lies where nothing is; and no view panics on it.
    #[test]
    fn damage_is_found(layout in layouts(), kind in 0..6usize, bits in proptest::collection::vec(0usize..65536, 1..4)) {
        let mut image = empty();
        match kind {
            0 => Meta { layout, segments: 3, created_by: [1, 2, 3] }.write(&mut image.0),
            1 => CenterPage::write(&mut image.0, &vec![1.5; CenterPage::range(&layout, 0).len()]),
            2 => ScanPageMut::init(&mut image.0, &layout).put(0, &row(&layout, 5)),
            3 => FinePageMut::init(&mut image.0, &layout).put(0, &row(&layout, 5)),
            5 if layout.keys > 0 => SummaryMut::init(&mut image.0, &layout).widen(0, &entry(&layout, 5).1),
            _ => DirectoryMut::init(&mut image.0, &layout).put(0, Tid { block: 1, offset: 1 }, &entry(&layout, 5).1),
        }
        let block = if kind == 1 { 1 } else { 0 };
        page::seal(&mut image.0, block);
        page::check_seal(&image.0, block).unwrap();
        let (lower, upper) = (u16::from_ne_bytes([image.0[12], image.0[13]]), u16::from_ne_bytes([image.0[14], image.0[15]]));
        let mut matters = false;
        let original = image.clone();
        for bit in bits {
            image.0[bit / 8] ^= 1 << (bit % 8);
        }
        for (offset, (now, before)) in image.0.iter().zip(&original.0).enumerate() {
            let covered = (12..16).contains(&offset) || (24..usize::from(lower)).contains(&offset) || offset >= usize::from(upper);
            matters |= covered && now != before;
        }
        prop_assert_eq!(page::check_seal(&image.0, block).is_err(), matters);
        // None of these may panic, whatever they say.
        let _ = Meta::read(&image.0);
        let _ = CenterPage::read(&image.0, &layout, 0, &mut Vec::new());
        if let Ok(view) = ScanPage::new(&image.0, &layout) {
            let _ = (view.constants(), view.coarse_codes(), view.free_slot(), view.check_states());
            for slot in 0..view.used() {
                let _ = (view.state(slot), view.row_constants(slot), view.coarse_code(slot));
            }
        }
        if let Ok(view) = FinePage::new(&image.0, &layout) {
            for slot in 0..layout.fine_rows {
                let _ = view.row(slot);
            }
        }
        if let Ok(view) = Directory::new(&image.0, &layout) {
            for slot in 0..layout.directory_rows() {
                let _ = view.tid(slot);
            }
        }
        if let Ok(view) = Summary::new(&image.0, &layout) {
            let _ = layout.keys > 0 && view.has(0, &entry(&layout, 5).1);
        }
    }

    #[test]
    fn no_bytes_make_a_view_panic(layout in layouts(), bytes in proptest::collection::vec(any::<u8>(), 8192), kind in 1u16..7) {
        let mut image = empty();
        image.0.copy_from_slice(&bytes);
        image.0[8184..8186].copy_from_slice(&kind.to_ne_bytes());
        image.0[8190..].copy_from_slice(&0xFFA5u16.to_ne_bytes());
        let _ = page::check_seal(&image.0, 3);
        let _ = (Meta::read(&image.0), ScanPage::new(&image.0, &layout).is_ok(), FinePage::new(&image.0, &layout).is_ok());
        let _ = (Directory::new(&image.0, &layout).is_ok(), Summary::new(&image.0, &layout).is_ok());
    }
}

#[test]
fn rows_fill_pages_well() {
    for (dimensions, bytes_per_dimension) in
        [(384, 1.2), (768, 1.16), (1536, 1.08), (3072, 1.08), (16_000, 1.03)]
    {
        let layout = Layout::new(CodeKind::Rotated, dimensions, 0);
        let segment = layout.segment(400);
        let bytes = f64::from(segment.end_block() - segment.first_block) * 8192.0;
        let rows = f64::from(segment.scan_pages) * layout.scan_rows as f64;
        let each = bytes / rows / dimensions as f64;
        assert!(each < bytes_per_dimension, "{dimensions} dimensions: {each}");
    }
}

/// The last segment, of which little may be used, is a small part of an index.
#[test]
fn segments_grow_with_the_index() {
    let layout = Layout::new(CodeKind::Rotated, 1536, 0);
    for number in 64..1500 {
        let segment = layout.segment(number);
        assert!(segment.scan_pages <= 64);
        assert!(segment.first_page >= 32 * segment.scan_pages, "{segment:?}");
    }
    assert_eq!(layout.segment(1499).scan_pages, 64);
    // The end of what ordinals and blocks can number is not passed.
    for (dimensions, keys) in [(1, 0), (3, 0), (3, 31), (100, 1), (1536, 0), (1536, 31), (16_000, 2)] {
        let layout = Layout::new(CodeKind::Taxicab, dimensions, keys);
        let last = layout.segment(layout.most_segments() - 1);
        assert!(last.end_block() < u32::MAX);
        let slots = u64::from(last.first_page + last.scan_pages) * layout.scan_rows as u64;
        assert!(slots <= u64::from(u32::MAX), "{dimensions}: {slots}");
    }
}

#[test]
fn meta_is_checked() {
    let layout = Layout::new(CodeKind::Taxicab, 100, 3);
    let meta = Meta { layout, segments: 7, created_by: [0, 1, 0] };
    let mut image = empty();
    meta.write(&mut image.0);
    page::seal(&mut image.0, 0);
    assert_eq!(Meta::read(&image.0), Ok(meta));
    Meta::write_segments(&mut image.0, 8);
    assert_eq!(Meta::read(&image.0), Err(PageError::Checksum));
    page::seal(&mut image.0, 0);
    assert_eq!(Meta::read(&image.0).unwrap().segments, 8);
    // Another version is recognised before anything else is believed.
    image.0[32..36].copy_from_slice(&9u32.to_ne_bytes());
    assert_eq!(Meta::read(&image.0), Err(PageError::Checksum), "damage is no version");
    page::seal(&mut image.0, 0);
    assert_eq!(Meta::read(&image.0), Err(PageError::Version(9)));
    assert_eq!(Meta::read(&empty().0), Err(PageError::Kind));
}

/// An index of format version 2, as it was written when that was new: block 0, centre, and the pages of the first segment: scan,
/// fine, directory, summary. Version 1 was never released.
///
/// They are decoded for ever. If this test fails, the format has changed: give it another version, and go on
/// reading this one.
#[test]
fn golden_pages_of_version_2_are_read() {
    let golden: [(&str, CodeKind, &[u8]); 2] = [
        ("rotated", CodeKind::Rotated, include_bytes!("golden/v2-rotated-20.bin")),
        ("taxicab", CodeKind::Taxicab, include_bytes!("golden/v2-taxicab-20.bin")),
    ];
    for (name, kind, bytes) in golden {
        let written = golden_pages(kind);
        let written: Vec<u8> = written.iter().flat_map(|page| page.0).collect();
        assert_eq!(bytes.len(), 6 * 8192);
        assert!(bytes == written, "{name}: what is written now differs");

        let pages: Vec<AlignedPage> =
            bytes.chunks_exact(8192).map(|chunk| AlignedPage(chunk.try_into().unwrap())).collect();
        for (page, block) in pages.iter().zip(0..) {
            page::check_seal(&page.0, block).unwrap();
        }
        let meta = Meta::read(&pages[0].0).unwrap();
        assert_eq!((meta.layout, meta.segments), (Layout::new(kind, 20, 2), 1));
        let mut center = Vec::new();
        CenterPage::read(&pages[1].0, &meta.layout, 0, &mut center).unwrap();
        assert_eq!(center, golden_center());
        let encoder = Encoder::new(kind, center);
        let scan = ScanPage::new(&pages[2].0, &meta.layout).unwrap();
        let fine = FinePage::new(&pages[3].0, &meta.layout).unwrap();
        let directory = Directory::new(&pages[4].0, &meta.layout).unwrap();
        assert_eq!(Summary::new(&pages[5].0, &meta.layout).unwrap().range(0, 1), (0, 60));
        for (slot, vector) in golden_vectors().iter().enumerate() {
            let (low, fine_constants) = fine.row(slot).unwrap();
            let mut row = EncodedRow::new(20);
            row.state = scan.state(slot);
            row.constants = scan.row_constants(slot);
            row.coarse.copy_from_slice(scan.coarse_code(slot));
            row.fine.copy_from_slice(low);
            row.fine_constants = fine_constants;
            encoder.verify(vector.as_deref(), &mut row).unwrap();
            assert_eq!(directory.tid(slot), Some(Tid { block: slot as u32, offset: 7 }));
            assert_eq!([0, 1].map(|column| directory.keys(column)[slot]), golden_keys(slot));
        }
    }
}

fn golden_center() -> Vec<f32> {
    (0..20).map(|i| (i as f32 - 9.5) / 8.0).collect()
}

fn golden_vectors() -> Vec<Option<Vec<f32>>> {
    let ordinary = |seed: i32| Some((0..20).map(|i| ((i * 29 + seed * 17) % 41 - 20) as f32 / 4.0).collect());
    vec![
        ordinary(0),
        ordinary(1),
        None,
        Some(vec![0.0; 20]),
        Some(vec![1e30; 20]),
        Some(golden_center()),
        ordinary(6),
    ]
}

fn golden_keys(slot: usize) -> [u64; 2] {
    [7, 10 * slot as u64]
}

fn golden_pages(kind: CodeKind) -> Vec<AlignedPage> {
    let layout = Layout::new(kind, 20, 2);
    let encoder = Encoder::new(kind, golden_center());
    let mut pages: Vec<AlignedPage> = std::iter::repeat_with(|| *empty()).take(6).collect();
    Meta { layout, segments: 1, created_by: [0, 1, 0] }.write(&mut pages[0].0);
    CenterPage::write(&mut pages[1].0, &golden_center());
    ScanPageMut::init(&mut pages[2].0, &layout);
    FinePageMut::init(&mut pages[3].0, &layout);
    DirectoryMut::init(&mut pages[4].0, &layout);
    SummaryMut::init(&mut pages[5].0, &layout);
    let mut row = EncodedRow::new(20);
    for (slot, vector) in golden_vectors().iter().enumerate() {
        encoder.encode(vector.as_deref(), &mut row);
        ScanPageMut::new(&mut pages[2].0, &layout).unwrap().put(slot, &row);
        FinePageMut::new(&mut pages[3].0, &layout).unwrap().put(slot, &row);
        let (tid, keys) = (Tid { block: slot as u32, offset: 7 }, golden_keys(slot));
        DirectoryMut::new(&mut pages[4].0, &layout).unwrap().put(slot, tid, &keys);
        SummaryMut::new(&mut pages[5].0, &layout).unwrap().widen(0, &keys);
    }
    for (page, block) in pages.iter_mut().zip(0..) {
        page::seal(&mut page.0, block);
    }
    pages
}

/// Writes the golden files; run by hand, when a version of the format is new.
#[test]
#[ignore = "writes files"]
fn write_golden_pages() {
    std::fs::create_dir_all("tests/golden").unwrap();
    for (name, kind) in [("rotated", CodeKind::Rotated), ("taxicab", CodeKind::Taxicab)] {
        let bytes: Vec<u8> = golden_pages(kind).iter().flat_map(|page| page.0).collect();
        std::fs::write(format!("tests/golden/v2-{name}-20.bin"), bytes).unwrap();
    }
}
