//! From sums over coarse codes to bounds of distances, and bounds as integers that order alike.
//!
//! A vector x is kept as a decoded vector of norm h, made of its codes, and a residual of norm ρ that is orthogonal to
//! it; the query likewise has a direction in which it is known through S, the sum of
//! [`nibble_dots`](super::CodeKernels::nibble_dots), and a rest. For each row, in float32, in this order:
//!
//! ```text
//! p    = (2·S − dot_offset) · dot_scale · g                    integers first, then converted
//! pa   = max(|p| − query_error, 0)
//! perp = √max(query_sq − pa·pa, 0)
//! dot  = h·(p + query_error) + ρ·(perp + tau) + center_weight·m
//! ```
//!
//! and then, by metric, with slack = slack_sum·(h + ρ):
//!
//! ```text
//! squared L2      d = max((base + h·h + ρ·ρ)·shrink − 2·dot − slack − floor_slack, 0)
//! inner product   d = −(base + dot + slack + floor_slack)
//! cosine          u = base + dot + slack + floor_slack
//!                 c = u·v + |u·v|·2⁻²⁰ + 2⁻¹⁶
//!                 d = max(1 − c, 0)
//! ```
//!
//! **No number, no bound.** Each maximum lets NaN through, and a d that is NaN gets the key of −∞: such a row is never
//! ruled out.

/// What cosine adds to the similarity for rounding: this much of its magnitude, 2⁻²⁰, …
const COSINE_RELATIVE: f32 = 1.0 / 1_048_576.0;
/// … and this much, 2⁻¹⁶.
const COSINE_ABSOLUTE: f32 = 1.0 / 65_536.0;

/// What is stored of each row beside its codes. Slices have one number for each row.
#[derive(Debug, Clone, Copy)]
pub struct RotatedRows<'a> {
    /// g: what makes an inner product with the codes one with the decoded vector's direction.
    pub norm_recip: &'a [f32],
    /// h: norm of the decoded vector.
    pub decoded_norm: &'a [f32],
    /// ρ: norm of what the decoded vector misses.
    pub residual: &'a [f32],
    /// m: inner product with the center.
    pub center_dot: &'a [f32],
    /// v: reciprocal of the vector's norm. Only read for cosine distance; may be empty otherwise.
    pub inv_norm: &'a [f32],
}

/// What bounds depend on beside the row; the same for all rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundParams {
    /// What is subtracted from twice the sum over codes.
    pub dot_offset: i32,
    /// What makes an integer an inner product.
    pub dot_scale: f32,
    /// How far an inner product with the quantized query can be from one with the query.
    pub query_error: f32,
    /// The query's squared norm, rounded up.
    pub query_sq: f32,
    /// How far the query can be from where it is taken to be, for the residual's sake.
    pub tau: f32,
    /// Factor of the inner product with the center.
    pub center_weight: f32,
    /// The part of the distance or of the inner product that no row changes.
    pub base: f32,
    /// What the sum of squares is multiplied by, for rounding. Squared L2 only.
    pub shrink: f32,
    /// Allowance for rounding, of h + ρ.
    pub slack_sum: f32,
    /// Allowance for rounding, whatever the row.
    pub floor_slack: f32,
}

/// A float32's place in the order −∞ < … < −0 < +0 < … < ∞, as an integer. NaN is beyond the infinity of its sign.
#[inline(always)]
pub const fn key_of(value: f32) -> i32 {
    flipped(value.to_bits().cast_signed())
}

/// The number whose [`key_of`] this is.
#[inline(always)]
pub const fn value_of(key: i32) -> f32 {
    f32::from_bits(flipped(key).cast_unsigned())
}

/// Below zero, all bits but the sign's change: magnitudes ascend, keys must descend. Its own inverse.
#[inline(always)]
const fn flipped(bits: i32) -> i32 {
    bits ^ ((bits >> 31).cast_unsigned() >> 1).cast_signed()
}

/// max(x, 0), but NaN if x is: one vector instruction, unlike [`f32::max`].
#[inline(always)]
fn not_below_zero(x: f32) -> f32 {
    if 0.0 > x { 0.0 } else { x }
}

/// What a metric makes of a row's inner product.
pub(super) trait Bound {
    /// Whether the row's v is used; if not, it is given as 0.
    const INV_NORM: bool;

    /// d, from the inner product and the row's h, ρ and v.
    fn of(dot: f32, h: f32, rho: f32, v: f32, params: &BoundParams) -> f32;
}

/// Squared Euclidean distance.
pub(super) struct L2;

impl Bound for L2 {
    const INV_NORM: bool = false;

    #[inline(always)]
    fn of(dot: f32, h: f32, rho: f32, _v: f32, params: &BoundParams) -> f32 {
        let squares = (params.base + h * h + rho * rho) * params.shrink;
        not_below_zero(squares - 2.0 * dot - params.slack_sum * (h + rho) - params.floor_slack)
    }
}

/// Negative inner product.
pub(super) struct InnerProduct;

impl Bound for InnerProduct {
    const INV_NORM: bool = false;

    #[inline(always)]
    fn of(dot: f32, h: f32, rho: f32, _v: f32, params: &BoundParams) -> f32 {
        -(params.base + dot + params.slack_sum * (h + rho) + params.floor_slack)
    }
}

/// Cosine distance.
pub(super) struct Cosine;

impl Bound for Cosine {
    const INV_NORM: bool = true;

    #[inline(always)]
    fn of(dot: f32, h: f32, rho: f32, v: f32, params: &BoundParams) -> f32 {
        let u = params.base + dot + params.slack_sum * (h + rho) + params.floor_slack;
        let similarity = u * v;
        not_below_zero(1.0 - (similarity + similarity.abs() * COSINE_RELATIVE + COSINE_ABSOLUTE))
    }
}

/// The key of one row's bound.
#[inline(always)]
fn key<B: Bound>(sum: i32, g: f32, h: f32, rho: f32, m: f32, v: f32, params: &BoundParams) -> i32 {
    // 2·S − dot_offset is far from overflowing; wrapping keeps debug builds' loops without branches.
    let p = sum.wrapping_mul(2).wrapping_sub(params.dot_offset) as f32 * params.dot_scale * g;
    let pa = not_below_zero(p.abs() - params.query_error);
    let perp = not_below_zero(params.query_sq - pa * pa).sqrt();
    let dot = h * (p + params.query_error) + rho * (perp + params.tau) + params.center_weight * m;
    let bound = B::of(dot, h, rho, v, params);
    key_of(if bound.is_nan() { f32::NEG_INFINITY } else { bound })
}

/// Keys of all rows, in blocks as large as there are rows for. Compiled into its callers, which are compiled for a
/// level's CPU features: the compiler makes vector instructions of the loop over a block.
#[inline(always)]
pub(super) fn keys<B: Bound>(sums: &[i32], rows: &RotatedRows<'_>, params: &BoundParams, keys: &mut [i32]) {
    // A copy, which the keys cannot be part of: nothing of it has to be loaded again after each of them.
    let params = *params;
    let count = keys.len();
    if count >= 16 {
        blocks::<B, 16>(sums, rows, &params, keys);
    } else if count >= 8 {
        blocks::<B, 8>(sums, rows, &params, keys);
    } else if count >= 4 {
        blocks::<B, 4>(sums, rows, &params, keys);
    } else if count >= 1 {
        blocks::<B, 1>(sums, rows, &params, keys);
    }
}

/// Keys of at least `W` rows. The last block overlaps the one before, and computes some rows again: that is quicker than
/// to compute them one by one.
#[inline(always)]
fn blocks<B: Bound, const W: usize>(
    sums: &[i32],
    rows: &RotatedRows<'_>,
    params: &BoundParams,
    keys: &mut [i32],
) {
    let last = keys.len() - W;
    let mut first = 0;
    loop {
        let block = block::<B, W>(
            window(sums, first),
            window(rows.norm_recip, first),
            window(rows.decoded_norm, first),
            window(rows.residual, first),
            window(rows.center_dot, first),
            if B::INV_NORM { window(rows.inv_norm, first) } else { &[0.0; W] },
            params,
        );
        keys[first..first + W].copy_from_slice(&block);
        if first == last {
            break;
        }
        first = (first + W).min(last);
    }
}

/// Keys of `W` rows.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // one index for all arrays
fn block<B: Bound, const W: usize>(
    sums: &[i32; W],
    g: &[f32; W],
    h: &[f32; W],
    rho: &[f32; W],
    m: &[f32; W],
    v: &[f32; W],
    params: &BoundParams,
) -> [i32; W] {
    let mut keys = [0; W];
    for i in 0..W {
        keys[i] = key::<B>(sums[i], g[i], h[i], rho[i], m[i], v[i], params);
    }
    keys
}

/// `W` elements from `first` on.
#[inline(always)]
fn window<T, const W: usize>(slice: &[T], first: usize) -> &[T; W] {
    &slice[first..first + W].as_chunks().0[0]
}
