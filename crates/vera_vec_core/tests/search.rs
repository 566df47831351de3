//! The search against sorting: every row once, in the order of bounds, whatever the memory.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // in tests

use proptest::prelude::*;
use vera_vec_core::codes::{Interval, Query};
use vera_vec_core::search::{BoundedRow, Hit, Rows, Search, Sink};

/// Rows with a coarse key and a fine one; a free slot has None.
struct InMemory {
    slots: Vec<Option<(i32, i32)>>,
    /// Keys are given in runs of this many; a shorter run ends a page that is not full.
    run: usize,
    refined: usize,
}

impl Rows for InMemory {
    fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    fn coarse_keys(&mut self, _from: u32, sink: Sink<'_>) {
        for (number, run) in self.slots.chunks(self.run).enumerate() {
            let keys: Vec<i32> =
                run.iter().map(|slot| slot.map_or(Query::FREE, |(coarse, _)| coarse)).collect();
            // What has never been used comes last on a page, and has no keys.
            let used = keys.iter().rposition(|&key| key != Query::FREE).map_or(0, |last| last + 1);
            if used > 0 {
                assert!(sink((number * self.run) as u32, &keys[..used]).is_continue());
            }
        }
    }

    fn refine(&mut self, ordinals: &[u32], rows: &mut Vec<BoundedRow>) {
        self.refined += ordinals.len();
        for &ordinal in ordinals {
            if let Some((_, fine)) = self.slots[ordinal as usize] {
                let bounds = Interval { least: fine, most: Query::FREE - 1 };
                rows.push(BoundedRow { bounds, ordinal });
            }
        }
    }
}

fn slots() -> impl Strategy<Value = Vec<Option<(i32, i32)>>> {
    // Few different keys make ties, and keys like those of NaN and NULL are among them.
    let coarse = prop_oneof![4 => -40..40i32, 4 => -1_000_000..1_000_000i32, 1 => Just(i32::MAX - 1), 1 => Just(0x7FC0_0000)];
    let slot = (coarse, 0..2000i32)
        .prop_map(|(coarse, more)| (coarse, coarse.saturating_add(more).min(i32::MAX - 1)));
    proptest::collection::vec(prop_oneof![5 => slot.prop_map(Some), 1 => Just(None)], 0..6000)
}

/// Takes all rows, and checks them.
fn check(slots: Vec<Option<(i32, i32)>>, run: usize, memory: usize) -> Search {
    let mut rows = InMemory { slots: slots.clone(), run, refined: 0 };
    let mut search = Search::new(slots.len() as u32, memory);
    let mut given = Vec::new();
    while let Some(hit) = search.next(&mut rows) {
        let (coarse, fine) = slots[hit.ordinal as usize].unwrap();
        // A bound of the row: the fine one, or at least the coarse one.
        assert!((coarse..=fine).contains(&hit.key), "{hit:?} for {coarse}, {fine}");
        if let Some(last) = given.last() {
            let last: &Hit = last;
            assert!(last.key <= hit.key, "{hit:?} after {last:?}");
        }
        given.push(hit);
    }
    let mut ordinals: Vec<u32> = given.iter().map(|hit| hit.ordinal).collect();
    ordinals.sort_unstable();
    let expected: Vec<u32> =
        (0..).zip(&slots).filter(|(_, slot)| slot.is_some()).map(|(ordinal, _)| ordinal).collect();
    assert_eq!(ordinals, expected, "every row once");
    assert!(search.next(&mut rows).is_none(), "still over");
    search
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gives_every_row_once_in_order(slots in slots(), run in 1usize..200, memory in prop_oneof![Just(0usize), 0usize..100_000, Just(1usize << 30)]) {
        check(slots, run, memory);
    }
}

#[test]
fn starts_again_when_memory_is_short() {
    let slots: Vec<_> = (0..5000).map(|i| Some((i * 7919 % 5003, i * 7919 % 5003 + 5))).collect();
    let search = check(slots.clone(), 37, 4096);
    assert!(search.stats().passes > 3, "{:?}", search.stats());
    assert_eq!(search.stats().returned, 5000);
    let search = check(slots, 37, 1 << 20);
    assert_eq!(search.stats().passes, 1);
    assert_eq!(search.stats().bounded, 5000);
}

#[test]
fn ties_do_not_exceed_memory_or_lose_rows() {
    let slots = vec![Some((1, 1)); 20_000];
    let search = check(slots, 37, 10_000);
    assert!(search.stats().passes > 1);
}

#[test]
fn refines_few_rows_for_few_answers() {
    let slots: Vec<_> = (0..100_000).map(|i| Some((i * 7919 % 100_003, i * 7919 % 100_003 + 50))).collect();
    let mut rows = InMemory { slots, run: 37, refined: 0 };
    let mut search = Search::new(100_000, 4 << 20);
    for _ in 0..10 {
        search.next(&mut rows).unwrap();
    }
    assert!(rows.refined < 200, "{}", rows.refined);
}
