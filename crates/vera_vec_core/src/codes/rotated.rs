//! Bounds from rotated codes: L2, inner product, cosine.
//!
//! ARCHITECTURE.md, "Rotated codes", has the formulas, their names and the proof.

use super::arithmetic::{dot, square};
use super::encode::{Encoder, to_f32};
use super::is_boundable;
use super::kernels::{BoundParams, CodeKernels, RotatedRows};
use super::query::{Interval, Refined};
use crate::Metric;

/// 2⁻¹⁶: see ARCHITECTURE.md, "Rounding".
const TAU: f64 = 1.0 / 65_536.0;

/// max(x, 0), but NaN if x is, unlike [`f64::max`]: what is no number is no bound, on either side.
fn not_below_zero(x: f64) -> f64 {
    if 0.0 > x { 0.0 } else { x }
}

/// A query against rotated codes.
#[derive(Debug)]
pub(super) struct RotatedQuery {
    metric: Metric,
    coarse: Weights<i8>,
    fine: Weights<i16>,
    params: BoundParams,
    sums: Vec<i32>,
}

/// The query's components as integers: those of even dimensions, those of odd ones.
#[derive(Debug)]
struct Weights<T> {
    even: Vec<T>,
    odd: Vec<T>,
    /// t
    scale: f32,
    /// Σw
    sum: i64,
    /// ε, rounded up
    error: f64,
}

impl<T: Copy + Default + TryFrom<i32>> Weights<T> {
    /// Quantises `components` with weights of at most `limit`; `norm` is theirs.
    fn new(components: &[f32], row_bytes: usize, limit: f32, norm: f64) -> Self {
        let largest = components.iter().fold(0f32, |largest, component| largest.max(component.abs()));
        let mut weights = Self {
            even: vec![T::default(); row_bytes],
            odd: vec![T::default(); row_bytes],
            scale: 0.0,
            sum: 0,
            error: norm,
        };
        let scale = largest / limit;
        // That or less stands for less, of which even the scale could underflow. No weights, and all of it is error.
        if norm <= super::LEAST_NORM {
            return weights;
        }
        weights.scale = scale;
        let mut error = 0.0;
        for (dimension, &component) in components.iter().enumerate() {
            let rounded = (component / scale).round().clamp(-limit, limit);
            let residual = f64::from(component) - f64::from(rounded) * f64::from(scale);
            error += residual * residual;
            #[allow(clippy::cast_possible_truncation)] // a small whole number
            let weight = rounded as i32;
            weights.sum += i64::from(weight);
            let half = if dimension % 2 == 0 { &mut weights.even } else { &mut weights.odd };
            half[dimension / 2] = T::try_from(weight).unwrap_or_default();
        }
        weights.error = error.sqrt() * (1.0 + TAU);
        weights
    }
}

impl RotatedQuery {
    /// None if the query has no bounds: its norm, or its distance from the centre, is out of range.
    ///
    /// `query` is not zero if the metric is cosine. `operator_error` is as for [`super::Query::new`].
    pub(super) fn new(
        metric: Metric,
        encoder: &Encoder,
        row_bytes: usize,
        query: &[f32],
        operator_error: f64,
    ) -> Option<Self> {
        let center = encoder.center();
        let center_square = square(center);
        let norm = square(query).sqrt();
        if !is_boundable(norm) || !is_boundable(center_square.sqrt()) {
            return None;
        }
        // For cosine everything is of the query scaled to length 1.
        let unit = if metric == Metric::Cosine { 1.0 / norm } else { 1.0 };
        let norm = norm * unit;
        let query_dot_center = dot(query, center) * unit;
        let alpha = if center_square > 0.0 { query_dot_center / center_square } else { 0.0 };

        // q − αc, and how far its float32 components are from it.
        let mut components = Vec::with_capacity(query.len());
        let mut inexact = 0.0;
        let mut from_center_square = 0.0;
        for (&component, &center) in query.iter().zip(center) {
            let (component, center) = (f64::from(component) * unit, f64::from(center));
            let exact = component - alpha * center;
            let rounded = to_f32(exact);
            inexact += (exact - f64::from(rounded)).powi(2);
            from_center_square += (component - center).powi(2);
            components.push(rounded);
        }
        let center_norm = center_square.sqrt();
        if !is_boundable(from_center_square.sqrt()) {
            return None;
        }
        let inexact = inexact.sqrt() * 1.01 + (norm + center_norm) * (-50f64).exp2();

        encoder.rotation().apply(&mut components);
        let mut length = square(&components).sqrt() * (1.0 + TAU * TAU);
        if length > 0.0 {
            length = length.max(super::LEAST_NORM);
        }
        let tau = TAU * length;
        let coarse = Weights::<i8>::new(&components, row_bytes, 127.0, length);
        let fine = Weights::<i16>::new(&components, row_bytes, 4095.0, length);

        /// 2⁻¹⁵
        const PRODUCT_SLACK: f64 = 2.0 * TAU;
        /// 2⁻¹²⁰
        const UNDERFLOW: f64 = f64::from_bits((1023 - 120) << 52);
        // ARCHITECTURE.md, "Operators of others". Of a cosine it is the error of the product and that of the norms.
        let product_slack = match metric {
            Metric::Cosine => PRODUCT_SLACK + 2.01 * operator_error,
            _ => PRODUCT_SLACK + operator_error,
        };
        let (base, center_weight, slack_sum, slack) = match metric {
            Metric::L2 | Metric::L1 => (from_center_square, alpha - 1.0, 2.0 * inexact, UNDERFLOW),
            Metric::NegativeInnerProduct | Metric::Cosine => (
                query_dot_center,
                alpha,
                product_slack * norm + inexact,
                product_slack * norm * center_norm + UNDERFLOW,
            ),
        };
        let up = |number: f64| to_f32(number).next_up();
        #[allow(clippy::cast_possible_truncation)] // 127 · 16,000 · 15
        let params = BoundParams {
            dot_scale: coarse.scale,
            dot_offset: (15 * coarse.sum) as i32,
            query_error: up(coarse.error + tau),
            query_sq: up(length * length),
            tau: up(tau),
            base: to_f32(base),
            center_weight: to_f32(center_weight),
            // 1 − 2⁻¹⁴, and less for an operator of others: a square of a distance is at most twice what this is a factor of.
            shrink: to_f32(1.0 - 4.0 * TAU - 2.0 * operator_error).next_down(),
            slack_sum: up(slack_sum),
            floor_slack: up(slack),
        };
        Some(Self { metric, coarse, fine, params, sums: Vec::new() })
    }

    /// The first half of making keys of lower bounds: sums over `rows` coarse codes.
    pub(super) fn sum_codes(&mut self, kernels: &CodeKernels, codes: &[u8], rows: usize) {
        self.sums.resize(rows, 0);
        kernels.nibble_dots(codes, &self.coarse.even, &self.coarse.odd, &mut self.sums);
    }

    /// The second half: keys of as many rows as were summed, for which `keys` has room.
    pub(super) fn coarse_keys(&self, kernels: &CodeKernels, constants: &[&[f32]; 5], keys: &mut [i32]) {
        let [norm_recip, decoded_norm, residual, center_dot, inv_norm] = *constants;
        let rows = RotatedRows { norm_recip, decoded_norm, residual, center_dot, inv_norm };
        match self.metric {
            Metric::L2 | Metric::L1 => kernels.l2_keys(&self.sums, &rows, &self.params, keys),
            Metric::NegativeInnerProduct => kernels.inner_product_keys(&self.sums, &rows, &self.params, keys),
            Metric::Cosine => kernels.cosine_keys(&self.sums, &rows, &self.params, keys),
        }
    }

    /// Bounds of a row from both codes.
    pub(super) fn fine_interval(&self, kernels: &CodeKernels, row: &Refined<'_>) -> Interval {
        let sum = kernels.level_dot(row.coarse, row.fine, &self.fine.even, &self.fine.odd);
        let [_, _, _, m, v] = row.constants.map(f64::from);
        let [g, h, rho] = row.fine_constants.map(f64::from);
        let p = &self.params;
        let tau = f64::from(p.tau);
        let query_error = self.fine.error + tau;

        #[allow(clippy::cast_precision_loss)] // far below 2⁵³
        let cos = sum as f64 * f64::from(self.fine.scale) * g;
        let certain = not_below_zero(cos.abs() - query_error);
        let across = not_below_zero(f64::from(p.query_sq) - certain * certain).sqrt();
        let (known, unknown) =
            (h * cos + f64::from(p.center_weight) * m, h * query_error + rho * (across + tau));
        let base = f64::from(p.base);
        let slack = f64::from(p.slack_sum) * (h + rho) + f64::from(p.floor_slack);
        match self.metric {
            Metric::L2 | Metric::L1 => {
                let squares = base + h * h + rho * rho;
                let middle = -2.0 * known;
                let width = 2.0 * unknown + slack + squares * (1.0 - f64::from(p.shrink));
                Interval::of(
                    not_below_zero(squares + middle - width),
                    not_below_zero(squares + middle + width),
                )
            }
            Metric::NegativeInnerProduct => {
                let (middle, width) = (base + known, unknown + slack);
                Interval::of(-(middle + width), width - middle)
            }
            Metric::Cosine => {
                let (middle, width) = (base + known, unknown + slack);
                let (least, most) = ((middle - width) * v, (middle + width) * v);
                Interval::of(
                    not_below_zero(1.0 - (most + most.abs() * TAU / 16.0 + TAU)),
                    not_below_zero(1.0 - (least - least.abs() * TAU / 16.0 - TAU)),
                )
            }
        }
    }
}
