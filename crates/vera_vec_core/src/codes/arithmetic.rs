//! The loops of encoding, in a form that compilers vectorise: sums in lanes, no branches.
//!
//! All of it is plain IEEE arithmetic in a fixed order, so that a vector has the same codes whatever machine
//! encodes it.

use super::kernels::levels::OUTER;

/// Lanes of a sum.
const LANES: usize = 8;

/// The fast Hadamard transform, scaled to be orthogonal, in place. The length is a power of two.
pub(super) fn hadamard(vector: &mut [f32]) {
    let mut half = 1;
    while half < vector.len() {
        for pair in vector.chunks_exact_mut(2 * half) {
            let (a, b) = pair.split_at_mut(half);
            for (a, b) in a.iter_mut().zip(b) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (vector.len() as f32).sqrt();
    for component in vector {
        *component *= scale;
    }
}

/// Σ term(aᵢ, bᵢ) in float64.
#[inline(always)]
fn sum_of(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0f64; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += term(f64::from(a[lane]), f64::from(b[lane]));
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| term(f64::from(a), f64::from(b))).sum();
    lanes.iter().sum::<f64>() + rest
}

/// Σaᵢbᵢ
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum_of(a, b, |a, b| a * b)
}

/// Σaᵢ²
pub(super) fn square(a: &[f32]) -> f64 {
    sum_of(a, a, |a, b| a * b)
}

/// Σ|aᵢ|
pub(super) fn magnitude(a: &[f32]) -> f64 {
    sum_of(a, a, |a, _| a.abs())
}

/// Σ|aᵢ − scale·bᵢ|
pub(super) fn l1_residual(a: &[f32], b: &[f32], scale: f64) -> f64 {
    sum_of(a, b, |a, b| (a - scale * b).abs())
}

/// 2²³: adding it to a number from 0 to 2²² leaves the rounded number in the lowest bits.
const ROUNDER: f32 = 8_388_608.0;

/// kᵢ = clamp(round(vectorᵢ · per_step + 127.5), 0, 255). A NaN gives some code.
pub(super) fn quantise(vector: &[f32], per_step: f32, codes: &mut [u8]) {
    for (code, &component) in codes.iter_mut().zip(vector) {
        *code = rounded(component * per_step + 127.5, 255.0);
    }
}

/// A number from 0 to `limit`, at most 255, rounded.
#[inline(always)]
fn rounded(number: f32, limit: f32) -> u8 {
    (number.clamp(0.0, limit) + ROUNDER).to_bits().to_le_bytes()[0]
}

/// The same with the low nibbles of the outermost coarse cells, 0 and 15, spread over [`OUTER`] times their width.
pub(super) fn quantise_spread(vector: &[f32], per_step: f32, codes: &mut [u8]) {
    const WIDTH: f32 = OUTER as f32;
    for (code, &component) in codes.iter_mut().zip(vector) {
        let position = component * per_step;
        let inner = rounded(position + 127.5, 255.0);
        // How far it is into the outermost cell of its sign, whose inner edge is at 240 and at 15.
        let outer = rounded((position.abs() - 112.5 - (WIDTH - 1.0) / 2.0) / WIDTH, 15.0);
        let high = inner >> 4;
        *code = if high == 15 {
            0xF0 | outer
        } else if high == 0 {
            15 - outer
        } else {
            inner
        };
    }
}

/// How well the coarse code of some step fits: ⟨x,u⟩²/|u|², u = 2·(k ≫ 4) − 15.
pub(super) fn coarse_fit(vector: &[f32], per_step: f32) -> f32 {
    const WIDE: usize = 16;
    let (mut dots, mut squares) = ([0f32; WIDE], [0f32; WIDE]);
    let (chunks, rest) = vector.as_chunks::<WIDE>();
    let mut add = |lane: usize, component: f32| {
        let u = coarse_level(component, per_step);
        dots[lane] += component * u;
        squares[lane] += u * u;
    };
    for chunk in chunks {
        for (lane, &component) in chunk.iter().enumerate() {
            add(lane, component);
        }
    }
    for (lane, &component) in rest.iter().enumerate() {
        add(lane, component);
    }
    let dot: f32 = dots.iter().sum();
    dot * dot / squares.iter().sum::<f32>()
}

#[inline(always)]
fn coarse_level(component: f32, per_step: f32) -> f32 {
    let shifted = (component * per_step + 127.5).clamp(0.0, 255.0);
    let code = (shifted + ROUNDER).to_bits() & 0xF0;
    // 2·(code / 16) − 15, exact; the detour by ROUNDER's bits is an integer conversion that vectorises everywhere.
    (f32::from_bits(ROUNDER.to_bits() | code) - ROUNDER) * 0.125 - 15.0
}
