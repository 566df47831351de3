//! Best-first search over rows that have a coarse and a fine lower bound.
//!
//! Nobody says how many rows are wanted: [`Search::next`] gives one after the other, in the order of their bounds, and
//! looks at no more fine codes than that takes. ARCHITECTURE.md, "A scan", has the whole picture.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::ControlFlow;

use crate::codes::kernels::CodeKernels;
use crate::codes::{Interval, Query};

/// The rows of an index, as a search needs them.
pub trait Rows {
    /// An upper bound of the ordinals that [`Self::coarse_keys`] gives keys for.
    fn slots(&self) -> u32;

    /// Gives `sink` runs of keys of coarse bounds, each with the ordinal of its first slot; ascending, and the same
    /// keys every time for rows that the caller's snapshot can see. Slots in no run have no row that is wanted.
    ///
    /// Slots before `from` may be left out. Soon after the sink breaks it is called no more; to go on, `from` is the slot after
    /// the last that it was given.
    fn coarse_keys(&mut self, from: u32, sink: Sink<'_>);

    /// Appends the rows in some slots, with their best bounds; those whose slot is free by now, or whose bounds say that
    /// they are not wanted, are left out.
    fn refine(&mut self, ordinals: &[u32], rows: &mut Vec<BoundedRow>);
}

/// Takes runs of keys.
pub type Sink<'a> = &'a mut dyn FnMut(u32, &[i32]) -> ControlFlow<()>;

/// A row that has been refined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundedRow {
    /// Keys of its bounds
    pub bounds: Interval,
    /// Its slot
    pub ordinal: u32,
}

/// A row that a search gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// The key of its bound; see [`Query::distance`]
    pub key: i32,
    /// Its slot
    pub ordinal: u32,
}

/// What a search has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchStats {
    /// Coarse bounds computed
    pub bounded: u64,
    /// Fine bounds computed
    pub refined: u64,
    /// Rows given
    pub returned: u64,
    /// Passes over all coarse codes
    pub passes: u64,
}

/// The state of a search.
#[derive(Debug)]
pub struct Search {
    /// Coarse keys, if they fit in memory: run after run.
    keys: Vec<i32>,
    runs: Vec<Run>,
    keeps_keys: bool,
    /// Candidates that fit in memory.
    most_candidates: usize,
    /// Refined rows that fit in memory.
    most_hits: usize,
    /// Rows up to this one have been made candidates.
    admitted: Option<Candidate>,
    admitted_count: usize,
    /// Whether there are rows after that.
    has_more: bool,
    candidates: BinaryHeap<Reverse<Candidate>>,
    hits: BinaryHeap<Reverse<Hit>>,
    ordinals: Vec<u32>,
    refined: Vec<BoundedRow>,
    stats: SearchStats,
}

/// Keys of slots that follow each other.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The first slot's ordinal
    first: u32,
    /// Where its key is
    start: usize,
}

/// A coarse bound and the slot it is of.
type Candidate = (i32, u32);

/// Candidates of the first batch; later ones have more.
const FIRST_BATCH: usize = 768;
/// How much larger each batch is than all before it.
const GROWTH: usize = 4;
/// Keys that are looked at to estimate a threshold.
const SAMPLE: usize = 4096;
/// Candidates that are refined together, so that the memory of one is fetched while another is computed.
const GROUP: usize = 8;

impl Search {
    /// A search over `slots` slots at most that keeps to about `memory` bytes, or to some kilobytes.
    pub fn new(slots: u32, memory: usize) -> Self {
        let keys_size = slots as usize * size_of::<i32>();
        let keeps_keys = keys_size <= memory / 2;
        let rest = memory.saturating_sub(if keeps_keys { keys_size } else { 0 }) / 2;
        let most_candidates = (rest / size_of::<Candidate>()).max(4 * GROUP);
        let most_hits = (rest / size_of::<Hit>()).max(4 * GROUP);
        Self {
            keys: Vec::new(),
            runs: Vec::new(),
            keeps_keys,
            most_candidates,
            most_hits,
            admitted: None,
            admitted_count: 0,
            has_more: true,
            candidates: BinaryHeap::new(),
            hits: BinaryHeap::new(),
            ordinals: Vec::with_capacity(GROUP),
            refined: Vec::with_capacity(GROUP),
            stats: SearchStats::default(),
        }
    }

    /// What has been done so far.
    pub fn stats(&self) -> SearchStats {
        self.stats
    }

    /// The next row: no row that has not been given has a lower bound. None after the last.
    pub fn next(&mut self, rows: &mut impl Rows) -> Option<Hit> {
        loop {
            let best_candidate = self.candidates.peek().map(|&Reverse((key, _))| key);
            let best_hit = self.hits.peek().map(|&Reverse(hit)| hit.key);
            // What any row that is not a candidate yet has at least.
            let beyond =
                if self.has_more { Some(self.admitted.map_or(i32::MIN, |(key, _)| key)) } else { None };
            match (best_hit, best_candidate) {
                (Some(hit), candidate)
                    if candidate.is_none_or(|key| hit <= key) && beyond.is_none_or(|key| hit <= key) =>
                {
                    let Reverse(hit) = self.hits.pop()?;
                    self.stats.returned += 1;
                    return Some(hit);
                }
                (_, Some(key)) if self.hits.len() + GROUP > self.most_hits => {
                    // No room to wait for better ones: this row goes out with its coarse bound.
                    if let Some(hit) = self.unrefined(rows, key) {
                        self.stats.returned += 1;
                        return Some(hit);
                    }
                }
                (best_hit, Some(_)) => self.refine_group(rows, best_hit.unwrap_or(i32::MAX)),
                (_, None) if self.has_more => self.admit(rows),
                (_, None) => return None,
            }
        }
    }

    /// Takes the best candidate as it is.
    fn unrefined(&mut self, rows: &mut impl Rows, key: i32) -> Option<Hit> {
        let Reverse((_, ordinal)) = self.candidates.pop()?;
        self.refined.clear();
        rows.refine(&[ordinal], &mut self.refined);
        self.refined.first().map(|row| Hit { key, ordinal: row.ordinal })
    }

    /// Replaces the best candidates, as long as they are not above `limit`, by hits.
    fn refine_group(&mut self, rows: &mut impl Rows, limit: i32) {
        self.ordinals.clear();
        let mut least = i32::MAX;
        while self.ordinals.len() < GROUP
            && let Some(top) = self.candidates.peek_mut()
            && top.0.0 <= limit
        {
            let Reverse((key, ordinal)) = PeekMut::pop(top);
            least = least.min(key);
            self.ordinals.push(ordinal);
        }
        self.refined.clear();
        rows.refine(&self.ordinals, &mut self.refined);
        self.stats.refined += self.ordinals.len() as u64;
        // Not below a bound that was already relied on: the least of the group.
        let hit = |row: &BoundedRow| Hit { key: row.bounds.least.max(least), ordinal: row.ordinal };
        self.hits.extend(self.refined.iter().map(|row| Reverse(hit(row))));
    }

    /// Makes candidates of the next rows.
    fn admit(&mut self, rows: &mut impl Rows) {
        let mut batch = Vec::from(std::mem::take(&mut self.candidates));
        batch.clear();
        if self.keeps_keys {
            if self.stats.passes == 0 {
                self.read_keys(rows);
            }
            self.admit_from_keys(&mut batch);
        } else {
            self.admit_from_pass(rows, &mut batch);
        }
        self.candidates = BinaryHeap::from(batch);
    }

    fn read_keys(&mut self, rows: &mut impl Rows) {
        let (keys, runs) = (&mut self.keys, &mut self.runs);
        // As much as there can be; what is not written to is not there.
        keys.reserve(rows.slots() as usize);
        let mut bounded = 0;
        let mut next = None;
        rows.coarse_keys(0, &mut |first, run| {
            bounded += run.len() as u64;
            if next != Some(first) {
                runs.push(Run { first, start: keys.len() });
            }
            keys.extend_from_slice(run);
            #[allow(clippy::cast_possible_truncation)] // ordinals
            {
                next = Some(first + run.len() as u32);
            }
            ControlFlow::Continue(())
        });
        self.stats.passes = 1;
        self.stats.bounded = bounded;
    }

    /// The next batch from keys in memory: those up to an estimated threshold.
    fn admit_from_keys(&mut self, batch: &mut Vec<Reverse<Candidate>>) {
        let target = (self.admitted_count * GROWTH).max(FIRST_BATCH).min(self.most_candidates);
        let wanted = self.admitted_count + target;
        let stride = (self.keys.len() / SAMPLE).max(1);
        let mut sample: Vec<i32> = self.keys.iter().copied().step_by(stride).collect();
        let index = wanted / stride;
        let threshold = if index + 1 >= sample.len() {
            Query::FREE - 1
        } else {
            (*sample.select_nth_unstable(index).1).min(Query::FREE - 1)
        };
        // A key that was admitted in part is at least finished.
        let threshold = threshold.max(self.admitted.map_or(i32::MIN, |(key, _)| key));
        let mut picker = Picker::new(self.admitted, threshold, self.most_candidates);
        let ends = self.runs.iter().skip(1).map(|run| run.start).chain([self.keys.len()]);
        for (run, end) in self.runs.iter().zip(ends) {
            picker.offer(run.first, &self.keys[run.start..end]);
        }
        let trimmed = picker.cut.is_some();
        let last = picker.finish(batch);
        self.admitted_count += batch.len();
        if trimmed {
            self.admitted = last;
        } else {
            self.admitted = Some((threshold, u32::MAX));
            self.has_more = threshold < Query::FREE - 1;
        }
    }

    /// The next batch by another pass over the coarse codes: the best that fit.
    fn admit_from_pass(&mut self, rows: &mut impl Rows, batch: &mut Vec<Reverse<Candidate>>) {
        let mut picker = Picker::new(self.admitted, Query::FREE - 1, self.most_candidates);
        let mut bounded = 0;
        rows.coarse_keys(0, &mut |first, run| {
            bounded += run.len() as u64;
            picker.offer(first, run);
            ControlFlow::Continue(())
        });
        self.stats.passes += 1;
        self.stats.bounded += bounded;
        self.has_more = picker.cut.is_some();
        self.admitted = picker.finish(batch).or(self.admitted);
        self.admitted_count += batch.len();
    }
}

/// Picks the least candidates after some other, as many as fit.
struct Picker {
    after: Option<Candidate>,
    /// The greatest key that is picked.
    limit: i32,
    most: usize,
    picked: Vec<Candidate>,
    /// The least candidate that there was no room for: nothing from it on is picked.
    cut: Option<Candidate>,
    kernels: &'static CodeKernels,
}

impl Picker {
    fn new(after: Option<Candidate>, limit: i32, most: usize) -> Self {
        Self { after, limit, most, picked: Vec::new(), cut: None, kernels: CodeKernels::best() }
    }

    fn offer(&mut self, first: u32, keys: &[i32]) {
        /// Keys between two looks at how many have been picked.
        const STEP: usize = 1024;

        let mut first = first;
        for keys in keys.chunks(STEP) {
            let start = self.picked.len();
            self.kernels.collect_at_most(keys, first, self.limit, &mut self.picked);
            if self.after.is_some() || self.cut.is_some() {
                let mut kept = start;
                for index in start..self.picked.len() {
                    let candidate = self.picked[index];
                    if self.after.is_none_or(|after| candidate > after)
                        && self.cut.is_none_or(|cut| candidate < cut)
                    {
                        self.picked[kept] = candidate;
                        kept += 1;
                    }
                }
                self.picked.truncate(kept);
            }
            if self.picked.len() >= self.most {
                self.trim(self.most / 2);
            }
            #[allow(clippy::cast_possible_truncation)] // STEP
            {
                first += keys.len() as u32;
            }
        }
    }

    /// Keeps the `count` least.
    fn trim(&mut self, count: usize) {
        let (_, &mut cut, _) = self.picked.select_nth_unstable(count);
        self.picked.truncate(count);
        self.limit = cut.0;
        self.cut = Some(cut);
    }

    /// Moves what was picked to `batch`; returns the greatest of it.
    fn finish(self, batch: &mut Vec<Reverse<Candidate>>) -> Option<Candidate> {
        let last = self.picked.iter().copied().max();
        batch.extend(self.picked.into_iter().map(Reverse));
        last
    }
}
