//! A query, whatever the metric and whatever may be wrong with it.

use std::ops::Range;

use super::encode::{Encoder, to_f32};
use super::kernels::{CodeKernels, key_of, prefetch, prefetch_for_later, value_of};
use super::rotated::RotatedQuery;
use super::taxicab::TaxicabQuery;
use super::{CodeKind, RowState, row_bytes};
use crate::Metric;
use crate::page::{PAGE_SIZE, ScanPage};

/// Gives bounds of the distances between one query vector and rows of an index.
///
/// Bounds are *keys*: integers that order as the distances they stand for do. See [`Query::distance`].
#[derive(Debug)]
pub struct Query {
    metric: Metric,
    kernels: &'static CodeKernels,
    bounds: Bounds,
}

#[derive(Debug)]
enum Bounds {
    Rotated(RotatedQuery),
    Taxicab(TaxicabQuery),
    /// The same for every row whose vector is not NULL.
    Constant(i32),
}

/// A row whose codes have both been read.
#[derive(Debug, Clone, Copy)]
pub struct Refined<'a> {
    /// As in [`super::EncodedRow`]
    pub constants: [f32; 5],
    /// As in [`super::EncodedRow`]
    pub fine_constants: [f32; 3],
    /// High nibbles
    pub coarse: &'a [u8],
    /// Low nibbles
    pub fine: &'a [u8],
}

/// Between which keys that of a row's distance is, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Of the lower bound
    pub least: i32,
    /// Of the upper bound
    pub most: i32,
}

impl Interval {
    /// That of rows of which nothing is known.
    const ANY: Self = Self { least: Query::LEAST, most: NULL_KEY };

    /// That of rows whose lower bound is this key: their distance's own, but for the least, which says nothing.
    fn of_key(key: i32) -> Self {
        if key == Query::LEAST { Self::ANY } else { Self { least: key, most: key } }
    }

    /// From bounds as numbers, which are rounded; NaN is no bound.
    pub(super) fn of(least: f64, most: f64) -> Self {
        if least.is_nan() || most.is_nan() {
            return Self::ANY;
        }
        Self { least: key_of(to_f32(least).next_down()), most: key_of(to_f32(most).next_up()) }
    }
}

/// The key of NaN, which PostgreSQL orders after all numbers.
pub(super) const NAN_KEY: i32 = 0x7FC0_0000;
/// The key of a NULL distance.
const NULL_KEY: i32 = i32::MAX - 1;

impl Query {
    /// The key of a slot without a row, above all others.
    pub const FREE: i32 = i32::MAX;
    /// The least key, that of −∞: of rows without a bound.
    pub const LEAST: i32 = key_of(f32::NEG_INFINITY);

    /// Prepares a query; NULL is None. The encoder must be of the kind of codes that the metric has.
    ///
    /// `operator_error`: how far, relative to their terms' magnitudes, the operator's sums may be from the exact ones. 0 says
    /// that it is made of the kernels of [`crate::distance`], whose error is in the bounds anyway; for others there is
    /// [`crate::distance::any_order_error`].
    pub fn new(metric: Metric, encoder: &Encoder, query: Option<&[f32]>, operator_error: f64) -> Self {
        debug_assert_eq!(CodeKind::of(metric), encoder.kind());
        let bounds = match query {
            None => Bounds::Constant(NULL_KEY),
            // Whether other dimensions are an error is for the operator to say.
            Some(query) if query.len() != encoder.dimensions() => Bounds::Constant(Self::LEAST),
            Some(query) if metric == Metric::Cosine && query.iter().all(|&component| component == 0.0) => {
                Bounds::Constant(NAN_KEY)
            }
            Some(query) => {
                let bytes = row_bytes(query.len());
                let bounded = match encoder.kind() {
                    CodeKind::Rotated => {
                        RotatedQuery::new(metric, encoder, bytes, query, operator_error).map(Bounds::Rotated)
                    }
                    CodeKind::Taxicab => {
                        TaxicabQuery::new(encoder, bytes, query, operator_error).map(Bounds::Taxicab)
                    }
                };
                bounded.unwrap_or(Bounds::Constant(Self::LEAST))
            }
        };
        Self { metric, kernels: CodeKernels::best(), bounds }
    }

    /// The same with kernels other than the best that the CPU has.
    #[must_use]
    pub fn with_kernels(mut self, kernels: &'static CodeKernels) -> Self {
        self.kernels = kernels;
        self
    }

    /// The distance that a key stands for, as the operator's type; None is NULL. Never more than the operator's
    /// value for the row that the key was made for.
    pub fn distance(&self, key: i32) -> Option<f64> {
        match key {
            NULL_KEY => None,
            NAN_KEY => Some(f64::NAN),
            _ if self.metric == Metric::L2 => {
                let square = f64::from(value_of(key));
                Some(if square > 0.0 { square.sqrt() } else { square })
            }
            _ => Some(f64::from(value_of(key))),
        }
    }

    /// Appends to `keys` those of all slots of a page that have ever been used, from coarse codes.
    ///
    /// `next` is where the page that comes next begins, or null. How fast memory is read depends on the CPU's own
    /// prefetchers. They want it touched in order and without gaps, across pages too: so all of the page is, first things
    /// first. If the next page does not lie right behind this one, they cannot foresee it, and all of it is fetched now.
    pub fn coarse_keys(&mut self, page: &ScanPage<'_>, next: *const u8, keys: &mut Vec<i32>) {
        /// Where the next page is begun to be fetched while this one's bounds are computed.
        const BEGINNING: usize = 512;

        let start = keys.len();
        let used = page.used();
        if let Bounds::Constant(key) = self.bounds {
            keys.resize(start + used, key);
        } else {
            keys.resize(start + used, 0);
            let keys = &mut keys[start..];
            let (address, codes) = (page.address(), page.codes_range());
            let is_behind = next == address.wrapping_add(PAGE_SIZE);
            if !is_behind && !next.is_null() {
                lines(next, 0..PAGE_SIZE).for_each(prefetch_for_later);
            }
            lines(address, 0..codes.start).for_each(prefetch);
            let rest = lines(address, codes.end..PAGE_SIZE + if is_behind { BEGINNING } else { 0 });
            match &mut self.bounds {
                Bounds::Constant(_) => {}
                Bounds::Rotated(query) => {
                    query.sum_codes(self.kernels, page.coarse_codes(), used);
                    rest.for_each(prefetch);
                    query.coarse_keys(self.kernels, &page.constants(), keys);
                }
                Bounds::Taxicab(query) => {
                    query.coarse_keys(self.kernels, &page.constants(), page.coarse_codes(), keys);
                    rest.for_each(prefetch);
                }
            }
        }
        if !page.is_plain() {
            for (key, state) in keys[start..].iter_mut().zip(page.states()) {
                if let Some(special) = self.key_of_state(state) {
                    *key = special;
                }
            }
        }
    }

    /// The key of one used slot, as [`Self::coarse_keys`] has it.
    pub fn coarse_key(&mut self, page: &ScanPage<'_>, slot: usize) -> i32 {
        if let Some(key) = self.key_of_state(page.state(slot)) {
            return key;
        }
        let constants = page.constants().map(|array| array.get(slot..=slot).unwrap_or_default());
        let code = page.coarse_code(slot);
        let mut key = [0];
        match &mut self.bounds {
            Bounds::Constant(constant) => key = [*constant],
            Bounds::Rotated(query) => {
                query.sum_codes(self.kernels, code, 1);
                query.coarse_keys(self.kernels, &constants, &mut key);
            }
            Bounds::Taxicab(query) => query.coarse_keys(self.kernels, &constants, code, &mut key),
        }
        key[0]
    }

    /// The key of a row that follows from its state alone, without codes.
    pub fn key_of_state(&self, state: RowState) -> Option<i32> {
        match (state, &self.bounds) {
            (RowState::Free, _) => Some(Self::FREE),
            (RowState::Null, _) => Some(NULL_KEY),
            (_, Bounds::Constant(key)) => Some(*key),
            (RowState::Unbounded, _) => Some(Self::LEAST),
            (RowState::Zero, _) if self.metric == Metric::Cosine => Some(NAN_KEY),
            (RowState::Zero | RowState::Coded, _) => None,
        }
    }

    /// The same with an upper bound.
    pub fn interval_of_state(&self, state: RowState) -> Option<Interval> {
        self.key_of_state(state).map(Interval::of_key)
    }

    /// Both bounds of a row whose state gives none, from both codes.
    pub fn fine_interval(&mut self, row: &Refined<'_>) -> Interval {
        match &mut self.bounds {
            Bounds::Constant(key) => Interval::of_key(*key),
            Bounds::Rotated(query) => query.fine_interval(self.kernels, row),
            Bounds::Taxicab(query) => query.fine_interval(self.kernels, row),
        }
    }
}

/// Addresses in part of a page, one in each cache line.
fn lines(page: *const u8, range: Range<usize>) -> impl Iterator<Item = *const u8> {
    range.step_by(64).map(move |offset| page.wrapping_add(offset))
}
