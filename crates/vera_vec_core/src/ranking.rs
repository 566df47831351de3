//! Rows in the order of their distances, from rows in the order of bounds.
//!
//! A [`Ranking`] takes rows from a [`Search`], has each one fetched from the table and its distance computed, and gives it
//! once its distance is below the bound of every row that has not been fetched.
//!
//! PostgreSQL's executor could do that too (`xs_recheckorderby`). But what it reorders loses its place in the table, so
//! that `ctid` is wrong and `FOR UPDATE` fails; and it keeps whole rows in memory, however many there are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::page::Tid;
use crate::search::{Hit, Rows, Search, SearchStats};

/// A distance as an integer that orders as PostgreSQL orders float8: numbers, NaN, NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u64);

impl Place {
    /// NaN's
    const NAN: Self = Self(u64::MAX - 1);
    /// NULL's
    pub const NULL: Self = Self(u64::MAX);
    /// The first of all: −∞'s, or before.
    pub const FIRST: Self = Self(0);

    /// The place of a distance; None is NULL.
    pub fn of(distance: Option<f64>) -> Self {
        match distance {
            None => Self::NULL,
            Some(distance) if distance.is_nan() => Self::NAN,
            Some(distance) => {
                // −0 is where 0 is.
                let bits = (distance + 0.0).to_bits();
                Self(if bits >> 63 == 0 { bits | 1 << 63 } else { !bits })
            }
        }
    }

    /// The place right after this one: no distance is between them. NULL has none after it.
    #[must_use]
    pub fn successor(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The distance, but for the sign of zero.
    pub fn distance(self) -> Option<f64> {
        match self {
            Self::NULL => None,
            Self::NAN => Some(f64::NAN),
            Self(bits) => Some(f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })),
        }
    }
}

/// A row with its distances: the first decides, then the others, then where it is in the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ranked {
    /// Of the order that the index has bounds for
    pub first: Place,
    /// Of further orders, if the query has some
    pub rest: Vec<Place>,
    /// Where the row is
    pub tid: Tid,
}

/// A table whose rows can be fetched.
pub trait Table: Rows {
    /// Where the row in a slot is in the table; None if the slot is free by now.
    fn tid(&mut self, ordinal: u32) -> Option<Tid>;

    /// The row, with its distances; None if the query cannot see it.
    fn fetch(&mut self, tid: Tid) -> Option<Ranked>;

    /// What the key of a bound stands for.
    fn place(&self, key: i32) -> Place;

    /// Whether rows at the same first distance are in no particular order.
    fn has_one_order(&self) -> bool;
}

/// The state of a ranking.
#[derive(Debug)]
pub struct Ranking {
    search: Search,
    slots: u32,
    memory: usize,
    /// The row whose bound is the least of those that have not been fetched.
    pending: Option<Hit>,
    fetched: BinaryHeap<Reverse<Ranked>>,
    most: usize,
    /// Rows from this place on are not wanted.
    end: Option<Place>,
    /// Whether all rows that have not been fetched are from there on.
    is_over: bool,
    /// The least row that there was no room for; only rows before it are kept.
    cut: Option<Ranked>,
    /// The last row given.
    last: Option<Ranked>,
    /// What earlier searches of this ranking did.
    earlier: SearchStats,
    fetches: u64,
}

impl Ranking {
    /// A ranking of rows in `slots` slots at most, that keeps to about `memory` bytes, or to some kilobytes.
    pub fn new(slots: u32, memory: usize) -> Self {
        /// At least; so that a restart is worth while.
        const LEAST: usize = 512;
        let search_memory = memory / 4 * 3;
        Self {
            search: Search::new(slots, search_memory),
            slots,
            memory: search_memory,
            pending: None,
            fetched: BinaryHeap::new(),
            most: (memory / 4 / size_of::<Ranked>()).max(LEAST),
            end: None,
            is_over: false,
            cut: None,
            last: None,
            earlier: SearchStats::default(),
            fetches: 0,
        }
    }

    /// Looks for no rows whose first distance is at `end` or after it. Those that have been fetched already may be
    /// given.
    #[must_use]
    pub fn before(mut self, end: Option<Place>) -> Self {
        self.end = end;
        self
    }

    /// What the searches did so far, with the rows that were fetched as `returned`.
    pub fn stats(&self) -> SearchStats {
        let (earlier, now) = (self.earlier, self.search.stats());
        SearchStats {
            bounded: earlier.bounded + now.bounded,
            refined: earlier.refined + now.refined,
            returned: self.fetches,
            passes: earlier.passes + now.passes,
        }
    }

    /// The next row; None after the last.
    pub fn next(&mut self, table: &mut impl Table) -> Option<Ranked> {
        loop {
            if self.pending.is_none() && !self.is_over {
                self.pending = self.search.next(table);
                // Bounds only grow, and a distance is not below its bound.
                self.is_over =
                    self.end.zip(self.pending).is_some_and(|(end, hit)| table.place(hit.key) >= end);
                if self.is_over {
                    self.pending = None;
                }
            }
            let bound = self.pending.map(|hit| table.place(hit.key));
            if let Some(Reverse(best)) = self.fetched.peek()
                && bound.is_none_or(|bound| best.first < bound)
            {
                let Reverse(best) = self.fetched.pop()?;
                self.last = Some(best.clone());
                return Some(best);
            }
            // With nothing left before the row that there was no room for, start again behind what was given.
            if let Some(cut) = &self.cut
                && self.fetched.is_empty()
                && bound.is_none_or(|bound| bound > cut.first)
            {
                self.start_again();
                continue;
            }
            let hit = self.pending.take()?;
            let Some(tid) = table.tid(hit.ordinal) else { continue };
            // NaN and NULL are no bounds but the distances: the row need not be looked at, and nothing before it is left.
            if table.has_one_order()
                && self.fetched.is_empty()
                && self.cut.is_none()
                && bound >= Some(Place::NAN)
            {
                return Some(Ranked { first: table.place(hit.key), rest: Vec::new(), tid });
            }
            self.fetches += 1;
            if let Some(row) = table.fetch(tid) {
                self.keep(row);
            }
        }
    }

    fn keep(&mut self, row: Ranked) {
        if self.last.as_ref().is_some_and(|last| row <= *last)
            || self.cut.as_ref().is_some_and(|cut| row >= *cut)
        {
            return;
        }
        self.fetched.push(Reverse(row));
        if self.fetched.len() > self.most {
            let mut rows: Vec<Ranked> =
                std::mem::take(&mut self.fetched).into_iter().map(|Reverse(row)| row).collect();
            let half = rows.len() / 2;
            self.cut = Some(rows.select_nth_unstable(half).1.clone());
            rows.truncate(half);
            self.fetched = rows.into_iter().map(Reverse).collect();
        }
    }

    fn start_again(&mut self) {
        self.earlier = self.stats();
        self.search = Search::new(self.slots, self.memory);
        self.pending = None;
        self.is_over = false;
        self.cut = None;
    }
}
