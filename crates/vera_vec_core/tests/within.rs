//! The scan within limits against asking every row: every wanted row once, and certain only if it is.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // in tests

use std::ops::ControlFlow;

use proptest::prelude::*;
use vera_vec_core::codes::kernels::{key_of, value_of};
use vera_vec_core::codes::{Interval, Query};
use vera_vec_core::page::Tid;
use vera_vec_core::ranking::{Place, Ranked, Table};
use vera_vec_core::search::{BoundedRow, Rows, Sink};
use vera_vec_core::within::{Limits, Within};

const NAN: i32 = 0x7FC0_0000;
const NULL: i32 = i32::MAX - 1;

/// Keys of coarse lower bound, fine lower bound, distance, fine upper bound.
type Keys = [i32; 4];

struct InMemory {
    slots: Vec<Option<Keys>>,
    /// Slots of a page, whose last ones are given only if they are used; and pages that are read at a time.
    page: usize,
    run: usize,
    bounded: usize,
    refined: usize,
}

impl Rows for InMemory {
    fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    fn coarse_keys(&mut self, from: u32, sink: Sink<'_>) {
        let pages: Vec<_> = self.slots.chunks(self.page).enumerate().collect();
        for run in pages.chunks(self.run).skip(from as usize / (self.page * self.run)) {
            let mut flow = ControlFlow::Continue(());
            for (number, page) in run {
                let used = page.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
                let keys: Vec<i32> =
                    page[..used].iter().map(|slot| slot.map_or(Query::FREE, |keys| keys[0])).collect();
                self.bounded += keys.len();
                flow = sink((number * self.page) as u32, &keys);
            }
            if flow.is_break() {
                return;
            }
        }
    }

    fn refine(&mut self, ordinals: &[u32], rows: &mut Vec<BoundedRow>) {
        self.refined += ordinals.len();
        rows.extend(ordinals.iter().filter_map(|&ordinal| {
            let [_, least, _, most] = self.slots[ordinal as usize]?;
            Some(BoundedRow { bounds: Interval { least, most }, ordinal })
        }));
    }
}

impl Table for InMemory {
    fn tid(&mut self, ordinal: u32) -> Option<Tid> {
        Some(Tid { block: ordinal, offset: 1 })
    }

    fn fetch(&mut self, _tid: Tid) -> Option<Ranked> {
        None
    }

    fn place(&self, key: i32) -> Place {
        Place::of(match key {
            NULL => None,
            NAN => Some(f64::NAN),
            key => Some(f64::from(value_of(key))),
        })
    }

    fn has_one_order(&self) -> bool {
        true
    }
}

fn slot() -> impl Strategy<Value = Option<Keys>> {
    let numbers = (-20i32..20, 0i32..9, 0i32..9, 0i32..9).prop_map(|(coarse, a, b, c)| {
        [coarse, coarse + a, coarse + a + b, coarse + a + b + c].map(|number| key_of(number as f32))
    });
    prop_oneof![
        8 => numbers.prop_map(Some),
        1 => Just(None),
        1 => Just(Some([NULL; 4])),
        1 => Just(Some([NAN; 4])),
        1 => prop_oneof![Just(NULL), Just(NAN), (-20i32..20).prop_map(|number| key_of(number as f32))]
            .prop_map(|key| Some([Query::LEAST, Query::LEAST, key, NULL])),
    ]
}

fn limit() -> impl Strategy<Value = Place> {
    let number = prop_oneof![
        6 => (-25..40i32).prop_map(f64::from), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(f64::NEG_INFINITY),
    ];
    (number, any::<bool>()).prop_map(|(number, after)| {
        let place = Place::of(Some(number));
        if after { place.successor() } else { place }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn finds_every_wanted_row_once(
        slots in proptest::collection::vec(slot(), 0..4000), page in 1usize..70, run in 1usize..20,
        start in prop_oneof![Just(Place::FIRST), limit()], end in prop_oneof![Just(Place::NULL), limit()],
    ) {
        let mut rows = InMemory { slots: slots.clone(), page, run, bounded: 0, refined: 0 };
        let limits = Limits { start, end };
        let mut scan = Within::new(limits);
        let found: Vec<_> = std::iter::from_fn(|| scan.next(&mut rows)).collect();
        prop_assert!(scan.next(&mut rows).is_none(), "still over");
        prop_assert!(found.is_sorted_by(|a, b| a.ordinal < b.ordinal), "each once, in order");
        let is_wanted = |ordinal: u32| slots[ordinal as usize].is_some_and(|[_, _, distance, _]| {
            let place = rows.place(distance);
            start <= place && place < end
        });
        for row in found.iter().filter(|row| row.is_certain) {
            prop_assert!(is_wanted(row.ordinal), "{row:?}");
        }
        let wanted: Vec<u32> = found.iter().map(|row| row.ordinal).filter(|&ordinal| is_wanted(ordinal)).collect();
        let expected: Vec<u32> = (0..slots.len() as u32).filter(|&ordinal| is_wanted(ordinal)).collect();
        prop_assert_eq!(wanted, expected);
        prop_assert!(scan.stats().bounded <= slots.len() as u64, "no slot counts twice");
        // Rows that bounds decide are not left to be looked at.
        for row in found.iter().filter(|row| !row.is_certain) {
            let [_, least, _, most] = slots[row.ordinal as usize].unwrap();
            let (least, most) = (rows.place(least), rows.place(most));
            prop_assert!(least < end && most >= start && !(least >= start && most < end));
        }
    }
}

#[test]
fn reads_no_more_than_it_needs() {
    let slots = vec![Some([key_of(1.0); 4]); 100_000];
    let mut rows = InMemory { slots, page: 50, run: 10, bounded: 0, refined: 0 };
    let limits = Limits { end: Place::of(Some(2.0)), ..Limits::NONE };
    let mut scan = Within::new(limits);
    assert!(scan.next(&mut rows).unwrap().is_certain);
    assert!(rows.bounded <= 2000 && rows.refined <= 8, "{}, {}", rows.bounded, rows.refined);
    assert_eq!(std::iter::from_fn(|| scan.next(&mut rows)).count(), 99_999);
}

#[test]
fn no_limits_are_all_but_null() {
    let keys = [key_of(f32::NEG_INFINITY), key_of(0.0), key_of(f32::INFINITY), NAN, NULL];
    let slots = keys.iter().map(|&key| Some([key; 4])).collect();
    let mut rows = InMemory { slots, page: 2, run: 1, bounded: 0, refined: 0 };
    let mut scan = Within::new(Limits::NONE);
    let found: Vec<_> =
        std::iter::from_fn(|| scan.next(&mut rows)).map(|row| (row.ordinal, row.is_certain)).collect();
    assert_eq!(found, [(0, true), (1, true), (2, true), (3, true)]);
}
