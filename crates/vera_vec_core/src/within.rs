//! Rows whose distance is within limits, in the order in which the index has them.
//!
//! Nothing is sorted: rows are given page after page, and a query that needs only some reads only some pages. Of a row whose
//! lower and upper bound are both within the limits it is known that its distance is, without a look at it.

use std::ops::ControlFlow;

use crate::codes::Query;
use crate::codes::kernels::CodeKernels;
use crate::ranking::{Place, Table};
use crate::search::{BoundedRow, SearchStats};

/// Which distances are wanted. NULL never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The first place that is wanted
    pub start: Place,
    /// The first place that is wanted no more
    pub end: Place,
}

impl Limits {
    /// All distances but NULL.
    pub const NONE: Self = Self { start: Place::FIRST, end: Place::NULL };

    /// Whether no distance with bounds at these places is wanted.
    pub fn exclude(&self, least: Place, most: Place) -> bool {
        least >= self.end || most < self.start
    }

    /// Whether all are.
    pub fn include(&self, least: Place, most: Place) -> bool {
        self.start <= least && most < self.end
    }
}

/// A row that may be within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Its slot
    pub ordinal: u32,
    /// Whether it certainly is
    pub is_certain: bool,
}

/// The state of such a scan.
#[derive(Debug)]
pub struct Within {
    limits: Limits,
    /// The slot after those whose coarse bounds have been looked at.
    next: u32,
    is_over: bool,
    /// The greatest key of a lower bound within the limits; None until it has been looked for.
    greatest: Option<i32>,
    /// Rows whose coarse bound is within the limits, from some place on; with their keys.
    candidates: Vec<(i32, u32)>,
    refined_until: usize,
    ordinals: Vec<u32>,
    bounded: Vec<BoundedRow>,
    /// Rows to give, the last one first.
    found: Vec<Found>,
    stats: SearchStats,
}

/// Candidates that are collected before they are looked at.
const ENOUGH: usize = 1024;
/// Candidates that are refined together, so that the memory of one is fetched while another is computed.
const GROUP: usize = 8;

impl Within {
    /// A scan that has not begun.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next: 0,
            is_over: false,
            greatest: None,
            candidates: Vec::new(),
            refined_until: 0,
            ordinals: Vec::with_capacity(GROUP),
            bounded: Vec::with_capacity(GROUP),
            found: Vec::with_capacity(GROUP),
            stats: SearchStats::default(),
        }
    }

    /// What it has done so far.
    pub fn stats(&self) -> SearchStats {
        self.stats
    }

    /// The next row; None after the last.
    pub fn next(&mut self, rows: &mut impl Table) -> Option<Found> {
        loop {
            if let Some(found) = self.found.pop() {
                self.stats.returned += 1;
                return Some(found);
            }
            if self.refined_until < self.candidates.len() {
                self.refine_group(rows);
            } else if self.is_over {
                return None;
            } else {
                self.collect(rows);
            }
        }
    }

    /// Finds more candidates.
    fn collect(&mut self, rows: &mut impl Table) {
        let greatest = match self.greatest {
            Some(greatest) => greatest,
            None => {
                let Some(greatest) = greatest_key_before(self.limits.end, rows) else {
                    self.is_over = true;
                    return;
                };
                *self.greatest.insert(greatest)
            }
        };
        self.candidates.clear();
        self.refined_until = 0;
        self.is_over = true;
        let kernels = CodeKernels::best();
        let (from, mut bounded) = (self.next, 0);
        rows.coarse_keys(from, &mut |first, keys| {
            // Slots before may be given again.
            let seen = self.next.saturating_sub(first) as usize;
            let Some(new) = keys.get(seen..) else { return ControlFlow::Continue(()) };
            #[allow(clippy::cast_possible_truncation)] // ordinals
            let (first, count) = (first + seen as u32, new.len() as u32);
            bounded += u64::from(count);
            kernels.collect_at_most(new, first, greatest, &mut self.candidates);
            self.next = first + count;
            self.is_over = self.candidates.len() < ENOUGH;
            if self.is_over { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        self.stats.bounded += bounded;
        self.stats.passes = 1;
    }

    fn refine_group(&mut self, rows: &mut impl Table) {
        let group = &self.candidates[self.refined_until..];
        let group = &group[..group.len().min(GROUP)];
        self.refined_until += group.len();
        self.ordinals.clear();
        self.ordinals.extend(group.iter().map(|&(_, ordinal)| ordinal));
        self.bounded.clear();
        rows.refine(&self.ordinals, &mut self.bounded);
        self.stats.refined += self.ordinals.len() as u64;
        for row in self.bounded.iter().rev() {
            let (least, most) = (rows.place(row.bounds.least), rows.place(row.bounds.most));
            if !self.limits.exclude(least, most) {
                let is_certain = self.limits.include(least, most);
                self.found.push(Found { ordinal: row.ordinal, is_certain });
            }
        }
    }
}

/// The greatest key that stands for a place before some other, if there is one. Keys order as the places do.
fn greatest_key_before(end: Place, rows: &impl Table) -> Option<i32> {
    let (mut least, mut beyond) = (i64::from(Query::LEAST), i64::from(Query::FREE));
    // All before `least` are, and none from `beyond` on is.
    while least < beyond {
        let middle = least + (beyond - least) / 2;
        let is_before = i32::try_from(middle).is_ok_and(|key| rows.place(key) < end);
        if is_before {
            least = middle + 1;
        } else {
            beyond = middle;
        }
    }
    i32::try_from(least - 1).ok().filter(|&key| key >= Query::LEAST)
}
