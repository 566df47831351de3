//! The orthogonal transform of rotated codes.

/// H: two rounds of random signs and fast Hadamard transforms.
///
/// A round flips the signs of some dimensions and transforms the first 2ᵏ of them, 2ᵏ ≤ dim; then, unless that was
/// all, does the same with the last 2ᵏ. Both are orthogonal, and together mix all dimensions, so that what a
/// few dimensions had is spread over all. O(dim · log dim), and no matrix.
///
/// Source: the randomised Hadamard transform of Ailon and Chazelle, "The fast Johnson–Lindenstrauss transform",
/// 2009. The signs are part of the page format: they are the bits of SplitMix64 from a fixed seed.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// 2ᵏ
    block: usize,
    /// For each Hadamard transform the sign of each of its dimensions: a mask for the sign bit.
    signs: Vec<Vec<u32>>,
}

const ROUNDS: usize = 2;
const SEED: u64 = 0x7665_7261_5f76_6563; // "vera_vec"

impl Rotation {
    /// The transform for vectors of `dim` dimensions, at least 1.
    pub fn new(dim: usize) -> Self {
        let block = 1 << dim.max(1).ilog2();
        let halves = if block == dim { 1 } else { 2 };
        let mut state = SEED;
        let mut next_bits = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let signs = (0..ROUNDS * halves)
            .map(|_| {
                let mut bits = 0;
                (0..block)
                    .map(|i| {
                        if i % 64 == 0 {
                            bits = next_bits();
                        }
                        u32::from((bits >> (i % 64)) & 1 == 1) << 31
                    })
                    .collect()
            })
            .collect();
        Self { block, signs }
    }

    /// Transforms `vector`, which has the dimensions given to [`Self::new`], in place, in float32.
    ///
    /// The error is at most 70·2⁻²⁴ of the vector's norm, in norm: each of at most 4 · 13 butterfly stages rounds
    /// each component once, each of 4 scalings twice.
    pub fn apply(&self, vector: &mut [f32]) {
        let dim = vector.len();
        for (number, signs) in self.signs.iter().enumerate() {
            let first_half = self.block == dim || number % 2 == 0;
            let part = if first_half { &mut vector[..self.block] } else { &mut vector[dim - self.block..] };
            for (component, sign) in part.iter_mut().zip(signs) {
                *component = f32::from_bits(component.to_bits() ^ sign);
            }
            super::arithmetic::hadamard(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_inner_products() {
        for dim in [1, 2, 3, 5, 8, 100, 384, 1536, 2000, 16_000] {
            let rotation = Rotation::new(dim);
            let a: Vec<f32> = (0..dim).map(|i| ((i * 37 + 11) % 101) as f32 - 50.0).collect();
            let b: Vec<f32> = (0..dim).map(|i| ((i * 53 + 7) % 89) as f32 - 44.0).collect();
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
            };
            let (mut ra, mut rb) = (a.clone(), b.clone());
            rotation.apply(&mut ra);
            rotation.apply(&mut rb);
            let scale = (dot(&a, &a) * dot(&b, &b)).sqrt();
            let error = (dot(&ra, &rb) - dot(&a, &b)).abs() / scale;
            assert!(error < 2.0 * 70.0 / 16_777_216.0, "{dim} dimensions: {error:e}");
        }
    }

    #[test]
    fn spreads_one_dimension_over_all() {
        for dim in [64, 100, 384, 1536] {
            let rotation = Rotation::new(dim);
            for hot in [0, dim / 2, dim - 1] {
                let mut vector = vec![0.0; dim];
                vector[hot] = 1.0;
                rotation.apply(&mut vector);
                let largest = vector.iter().fold(0f32, |m, x| m.max(x.abs()));
                assert!(f64::from(largest) < 6.0 / (dim as f64).sqrt(), "{dim} dimensions: {largest}");
            }
        }
    }
}
