//! Bounds from taxicab codes: L1.
//!
//! ARCHITECTURE.md, "Taxicab codes", has the formula and the proof.

use std::collections::HashMap;

use super::encode::{Encoder, to_f32};
use super::is_boundable;
use super::kernels::{CodeKernels, key_of};
use super::query::{Interval, Query, Refined};

/// 2⁻¹⁶, relative: more than what the operator's rounding and ours make.
const ROUNDING: f64 = 1.0 / 65_536.0;

/// A query against taxicab codes.
#[derive(Debug)]
pub(super) struct TaxicabQuery {
    /// q − c
    from_center: Vec<f64>,
    /// What bounds are made farther apart by, relative.
    rounding: f64,
    row_bytes: usize,
    /// The query on the scales met so far, by the scale's bits. Rows of an index share a few of them.
    scales: HashMap<u32, OnScale>,
    sums: Vec<u32>,
}

/// A query in units of a row's scale.
#[derive(Debug)]
struct OnScale {
    coarse: Weights,
    fine: Weights,
}

#[derive(Debug)]
struct Weights {
    even: Vec<u8>,
    odd: Vec<u8>,
    /// What clamping to 0…255 took away, less what rounding may have added.
    outside: f64,
    /// What both may have taken away.
    moved: f64,
}

impl Weights {
    /// `origin` is what the centre is coded as; 8 on both sides is what padding contributes nothing with.
    fn new(from_center: &[f64], row_bytes: usize, scale: f64, origin: f64, padding: u8) -> Self {
        let mut weights =
            Self { even: vec![padding; row_bytes], odd: vec![padding; row_bytes], outside: 0.0, moved: 0.0 };
        for (dimension, &component) in from_center.iter().enumerate() {
            let position = component / scale + origin;
            let rounded = position.round().clamp(0.0, 255.0);
            let distance = (position - rounded).abs();
            weights.outside += if (0.0..=255.0).contains(&position) { -distance } else { distance };
            weights.moved += distance;
            let half = if dimension % 2 == 0 { &mut weights.even } else { &mut weights.odd };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
            {
                half[dimension / 2] = rounded as u8;
            }
        }
        weights
    }

    /// The lower bound's key for a sum of differences.
    fn key(&self, sum: u32, scale: f32, residual: f32, rounding: f64) -> i32 {
        let bound = f64::from(scale) * (f64::from(sum) + self.outside) - f64::from(residual);
        if bound.is_nan() {
            return Query::LEAST;
        }
        key_of(to_f32((bound * (1.0 - rounding)).max(0.0)).next_down().max(0.0))
    }

    /// The same with the upper bound.
    fn interval(&self, sum: u32, scale: f32, residual: f32, rounding: f64) -> Interval {
        let most = f64::from(scale) * (f64::from(sum) + self.moved) + f64::from(residual);
        let interval = Interval::of(0.0, most * (1.0 + rounding));
        Interval { least: self.key(sum, scale, residual, rounding), ..interval }
    }
}

impl TaxicabQuery {
    /// None if the query has no bounds: a component, or its distance from the centre's, is out of range.
    pub(super) fn new(
        encoder: &Encoder,
        row_bytes: usize,
        query: &[f32],
        operator_error: f64,
    ) -> Option<Self> {
        let from_center: Vec<f64> =
            query.iter().zip(encoder.center()).map(|(&q, &c)| f64::from(q) - f64::from(c)).collect();
        let largest = |numbers: &mut dyn Iterator<Item = f64>| numbers.fold(0.0, |m: f64, x| m.max(x.abs()));
        if !is_boundable(largest(&mut from_center.iter().copied()))
            || !is_boundable(largest(&mut query.iter().map(|&q| f64::from(q))))
        {
            return None;
        }
        let rounding = ROUNDING + operator_error;
        Some(Self { from_center, rounding, row_bytes, scales: HashMap::new(), sums: Vec::new() })
    }

    fn on_scale(&mut self, scale: f32) -> &OnScale {
        self.scales.entry(scale.to_bits()).or_insert_with(|| {
            let scale = f64::from(scale);
            OnScale {
                coarse: Weights::new(&self.from_center, self.row_bytes, scale, 128.0, 8),
                fine: Weights::new(&self.from_center, self.row_bytes, scale, 127.5, 0),
            }
        })
    }

    /// Keys of lower bounds of as many rows as `keys` has room for, from their coarse codes.
    pub(super) fn coarse_keys(
        &mut self,
        kernels: &CodeKernels,
        constants: &[&[f32]; 5],
        codes: &[u8],
        keys: &mut [i32],
    ) {
        let [scales, residuals, ..] = *constants;
        let (row_bytes, rounding) = (self.row_bytes, self.rounding);
        let mut sums = std::mem::take(&mut self.sums);
        sums.resize(keys.len(), 0);
        let mut first = 0;
        // Runs of rows with one scale; compared by bits, as they are looked up.
        for run in scales[..keys.len()].chunk_by(|a, b| a.to_bits() == b.to_bits()) {
            let rows = first..first + run.len();
            let weights = &self.on_scale(run[0]).coarse;
            kernels.nibble_sads(
                &codes[rows.start * row_bytes..rows.end * row_bytes],
                &weights.even,
                &weights.odd,
                &mut sums[rows.clone()],
            );
            for ((key, &sum), &residual) in
                keys[rows.clone()].iter_mut().zip(&sums[rows.clone()]).zip(&residuals[rows.clone()])
            {
                *key = weights.key(sum, run[0], residual, rounding);
            }
            first = rows.end;
        }
        self.sums = sums;
    }

    /// Bounds of a row from both codes.
    pub(super) fn fine_interval(&mut self, kernels: &CodeKernels, row: &Refined<'_>) -> Interval {
        let (scale, rounding) = (row.constants[0], self.rounding);
        let weights = &self.on_scale(scale).fine;
        let sum = kernels.byte_sad(row.coarse, row.fine, &weights.even, &weights.odd);
        weights.interval(sum, scale, row.fine_constants[0], rounding)
    }
}
