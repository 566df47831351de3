//! The ranking against sorting: every visible row once, in the order of its distances, whatever the memory.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // in tests

use proptest::prelude::*;
use vera_vec_core::codes::Interval;
use vera_vec_core::page::Tid;
use vera_vec_core::ranking::{Place, Ranked, Ranking, Table};
use vera_vec_core::search::{BoundedRow, Rows, Sink};

/// Keys that this test's bounds have for NaN and NULL.
const NAN: i32 = 1_000_000;
const NULL: i32 = 1_000_001;

/// A bound, and the distances; or that the query cannot see the row.
type Row = (i32, Option<(Option<f64>, Option<f64>)>);

/// Rows with a bound, a distance that is not below it, and a second distance; or that the query cannot see.
struct InMemory {
    rows: Vec<Row>,
    orders: usize,
    fetched: usize,
}

impl Rows for InMemory {
    fn slots(&self) -> u32 {
        self.rows.len() as u32
    }

    fn coarse_keys(&mut self, _from: u32, sink: Sink<'_>) {
        let keys: Vec<i32> = self.rows.iter().map(|&(key, _)| key).collect();
        assert!(sink(0, &keys).is_continue());
    }

    fn refine(&mut self, ordinals: &[u32], rows: &mut Vec<BoundedRow>) {
        rows.extend(ordinals.iter().map(|&ordinal| {
            let bounds = Interval { least: self.rows[ordinal as usize].0, most: NULL };
            BoundedRow { bounds, ordinal }
        }));
    }
}

impl Table for InMemory {
    fn tid(&mut self, ordinal: u32) -> Option<Tid> {
        Some(Tid { block: ordinal, offset: 1 })
    }

    fn fetch(&mut self, tid: Tid) -> Option<Ranked> {
        self.fetched += 1;
        let (first, second) = self.rows[tid.block as usize].1?;
        let rest = if self.orders > 1 { vec![Place::of(second)] } else { Vec::new() };
        Some(Ranked { first: Place::of(first), rest, tid })
    }

    fn place(&self, key: i32) -> Place {
        Place::of(match key {
            NULL => None,
            NAN => Some(f64::NAN),
            key => Some(f64::from(key)),
        })
    }

    fn has_one_order(&self) -> bool {
        self.orders == 1
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let second = prop_oneof![Just(None), Just(Some(f64::NAN)), (-3..3i32).prop_map(|n| Some(f64::from(n)))];
    let row = (0..8u32, -50..50i32, 0..20i32, second, any::<bool>()).prop_map(
        |(kind, key, more, second, visible)| {
            let (key, first) = match kind {
                0 => (NULL, None),
                1 => (NAN, Some(f64::NAN)),
                // A bound that is far off, for a distance of any kind.
                2 => (-1000, if more < 10 { Some(f64::NAN) } else { Some(f64::from(key)) }),
                3 => (key, Some(if key == 0 { -0.0 } else { f64::from(key) })),
                _ => (key, Some(f64::from(key + more) + 0.25)),
            };
            (key, (visible || more > 2).then_some((first, second)))
        },
    );
    proptest::collection::vec(row, 0..4000)
}

fn check(rows: Vec<Row>, orders: usize, memory: usize) -> Ranking {
    let mut table = InMemory { rows: rows.clone(), orders, fetched: 0 };
    let mut ranking = Ranking::new(rows.len() as u32, memory);
    let mut given = Vec::new();
    while let Some(row) = ranking.next(&mut table) {
        given.push(row);
    }
    let place = |tid: Tid| {
        let (first, second) = rows[tid.block as usize].1.unwrap_or_default();
        (Place::of(first), (orders > 1).then(|| Place::of(second)))
    };
    // A row that is not visible may be given where its distance needs no fetching: the executor will not find it.
    given.retain(|row| rows[row.tid.block as usize].1.is_some());
    for pair in given.windows(2) {
        assert!(place(pair[0].tid) <= place(pair[1].tid), "{pair:?}");
    }
    for row in &given {
        assert_eq!(row.first, place(row.tid).0);
    }
    let mut ordinals: Vec<u32> = given.iter().map(|row| row.tid.block).collect();
    ordinals.sort_unstable();
    let expected: Vec<u32> =
        (0..).zip(&rows).filter(|(_, row)| row.1.is_some()).map(|(ordinal, _)| ordinal).collect();
    assert_eq!(ordinals, expected, "every visible row once");
    ranking
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gives_every_row_once_in_order(rows in rows(), orders in 1usize..3, memory in prop_oneof![Just(0usize), Just(1usize << 24)]) {
        check(rows, orders, memory);
    }

    #[test]
    fn gives_every_row_before_an_end(rows in rows(), orders in 1usize..3, short in any::<bool>(), end in prop_oneof![
        (-60..80i32).prop_map(|end| Some(f64::from(end))), Just(Some(f64::NAN)), Just(Some(f64::INFINITY)), Just(None),
    ]) {
        let mut table = InMemory { rows: rows.clone(), orders, fetched: 0 };
        let memory = if short { 0 } else { 1 << 24 };
        let mut ranking = Ranking::new(rows.len() as u32, memory).before(Some(Place::of(end)));
        let given: Vec<Ranked> = std::iter::from_fn(|| ranking.next(&mut table)).collect();
        prop_assert!(given.is_sorted_by(|a, b| a.first <= b.first));
        let is_wanted = |row: &Row| row.1.is_some_and(|(first, _)| Place::of(first) < Place::of(end));
        let mut wanted: Vec<u32> = given.iter().map(|row| row.tid.block).filter(|&block| is_wanted(&rows[block as usize])).collect();
        wanted.sort_unstable();
        let expected: Vec<u32> = (0..).zip(&rows).filter(|(_, row)| is_wanted(row)).map(|(ordinal, _)| ordinal).collect();
        prop_assert_eq!(wanted, expected);
    }

    #[test]
    fn nothing_is_between_a_place_and_its_successor(a in any::<f64>(), b in any::<f64>()) {
        let (a, b) = (Place::of(Some(a)), Place::of(Some(b)));
        prop_assert_eq!(b <= a, b < a.successor());
    }

    #[test]
    fn places_order_as_float8_does(a in any::<Option<f64>>(), b in any::<Option<f64>>()) {
        // Greatest last: numbers, NaN, NULL.
        let rank = |d: Option<f64>| match d { None => (2, 0.0), Some(d) if d.is_nan() => (1, 0.0), Some(d) => (0, d) };
        let expected = rank(a).partial_cmp(&rank(b)).unwrap();
        prop_assert_eq!(Place::of(a).cmp(&Place::of(b)), expected);
        match (Place::of(a).distance(), a) {
            (Some(x), Some(y)) => prop_assert!(x == y || (x.is_nan() && y.is_nan())),
            (x, y) => prop_assert_eq!(x, y),
        }
    }
}

#[test]
fn starts_again_when_memory_is_short() {
    // Bounds that say nothing: every row has to be fetched before the first can be given.
    let rows: Vec<_> = (0..5000).map(|i| (-1000, Some((Some(f64::from(i * 7919 % 5003)), None)))).collect();
    let ranking = check(rows.clone(), 1, 0);
    assert!(ranking.stats().passes > 5, "{:?}", ranking.stats());
    let ranking = check(rows, 1, 1 << 24);
    assert_eq!(ranking.stats().passes, 1);
}

#[test]
fn fetches_only_what_can_be_next() {
    let rows: Vec<_> = (0..5000).map(|i| (i, Some((Some(f64::from(i) + 3.5), None)))).collect();
    let mut table = InMemory { rows, orders: 1, fetched: 0 };
    let mut ranking = Ranking::new(5000, 1 << 20);
    for _ in 0..10 {
        ranking.next(&mut table).unwrap();
    }
    assert!(table.fetched <= 14, "{}", table.fetched);
}

#[test]
fn stops_at_an_end() {
    let rows: Vec<_> = (0..5000).map(|i| (i, Some((Some(f64::from(i) + 3.5), None)))).collect();
    let mut table = InMemory { rows, orders: 1, fetched: 0 };
    let mut ranking = Ranking::new(5000, 1 << 20).before(Some(Place::of(Some(9.0))));
    let given = std::iter::from_fn(|| ranking.next(&mut table)).count();
    assert_eq!((given, table.fetched), (9, 9), "bounds 0 to 8");
}

/// Rows that have no distance need not be fetched.
#[test]
fn gives_rows_without_distance_unseen() {
    let mut table = InMemory { rows: vec![(NULL, Some((None, None))); 100], orders: 1, fetched: 0 };
    let mut ranking = Ranking::new(100, 1 << 20);
    assert!(ranking.next(&mut table).is_some());
    assert_eq!(table.fetched, 0);
}
