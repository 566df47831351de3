//! From vectors to codes.

use super::arithmetic::{coarse_fit, dot, l1_residual, magnitude, quantise, quantise_spread, square};
use super::{CodeKind, Rotation, RowState, is_boundable, row_bytes};

/// Makes the codes of an index's rows. Plain memory; can be used by several threads at once.
#[derive(Debug, Clone)]
pub struct Encoder {
    kind: CodeKind,
    center: Vec<f32>,
    rotation: Rotation,
}

/// What an index stores of a row: its state, constants and codes. See ARCHITECTURE.md for their meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedRow {
    /// Everything else is zero for rows that have no codes.
    pub state: RowState,
    /// The first [`CodeKind::constants`] count: g, h, ρ, m, v; for taxicab codes s, ρ.
    pub constants: [f32; 5],
    /// The first [`CodeKind::fine_constants`] count: g, h, ρ; for taxicab codes ρ.
    pub fine_constants: [f32; 3],
    /// High nibbles; [`row_bytes`] of them.
    pub coarse: Vec<u8>,
    /// Low nibbles; as many.
    pub fine: Vec<u8>,
    /// Scratch: the centred vector and its 8-bit codes, and these as numbers.
    centred: Vec<f32>,
    codes: Vec<u8>,
    levels: Vec<f32>,
}

/// Some constant of a row does not fit its vector, so its bounds could be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} does not fit the row's vector")]
pub struct Violation(pub &'static str);

/// Root mean squares that the finest tried step reaches, and steps tried. A 4-bit uniform quantiser of a normal
/// distribution is best at 2.7; rows differ.
const CLIPS: [f32; 4] = [2.4, 2.65, 2.9, 3.25];

impl EncodedRow {
    /// Room for a row of some number of dimensions.
    pub fn new(dimensions: usize) -> Self {
        let bytes = row_bytes(dimensions);
        Self {
            state: RowState::Free,
            constants: [0.0; 5],
            fine_constants: [0.0; 3],
            coarse: vec![0; bytes],
            fine: vec![0; bytes],
            centred: vec![0.0; dimensions],
            codes: vec![0; 2 * bytes],
            levels: vec![0.0; dimensions],
        }
    }

    /// Appends it as bytes, for [`Self::read_from`] of the same program.
    pub fn write_to(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.state as u8);
        bytes.extend_from_slice(bytemuck::cast_slice(&self.constants));
        bytes.extend_from_slice(bytemuck::cast_slice(&self.fine_constants));
        bytes.extend_from_slice(&self.coarse);
        bytes.extend_from_slice(&self.fine);
    }

    /// Takes what [`Self::write_to`] has written of a row of as many dimensions.
    ///
    /// # Panics
    /// If there are not as many bytes.
    pub fn read_from(&mut self, bytes: &[u8]) {
        let (&state, rest) = bytes.split_first().unwrap_or((&0, &[]));
        let (constants, rest) = rest.split_at(size_of_val(&self.constants));
        let (fine_constants, rest) = rest.split_at(size_of_val(&self.fine_constants));
        let (coarse, fine) = rest.split_at(self.coarse.len());
        self.state = RowState::from_number(state).unwrap_or(RowState::Free);
        bytemuck::cast_slice_mut(&mut self.constants).copy_from_slice(constants);
        bytemuck::cast_slice_mut(&mut self.fine_constants).copy_from_slice(fine_constants);
        self.coarse.copy_from_slice(coarse);
        self.fine.copy_from_slice(fine);
    }

    fn clear(&mut self, state: RowState) {
        self.state = state;
        self.constants = [0.0; 5];
        self.fine_constants = [0.0; 3];
        self.coarse.fill(0);
        self.fine.fill(0);
    }

    /// Splits the 8-bit codes into the two planes.
    fn pack(&mut self) {
        let pairs = self.codes.as_chunks::<2>().0;
        for ((coarse, fine), [even, odd]) in self.coarse.iter_mut().zip(&mut self.fine).zip(pairs) {
            *coarse = (even >> 4) | (odd & 0xF0);
            *fine = (even & 15) | (odd << 4);
        }
    }

    /// The 8-bit code of each dimension.
    fn unpack(&mut self) {
        let pairs = self.codes.as_chunks_mut::<2>().0;
        for ((coarse, fine), [even, odd]) in self.coarse.iter().zip(&self.fine).zip(pairs) {
            *even = (coarse << 4) | (fine & 15);
            *odd = (coarse & 0xF0) | (fine >> 4);
        }
    }
}

impl Encoder {
    /// An encoder for vectors of as many dimensions as the centre has, from 1 to [`crate::MAX_DIM`].
    pub fn new(kind: CodeKind, center: Vec<f32>) -> Self {
        let rotation = Rotation::new(center.len());
        Self { kind, center, rotation }
    }

    /// Which codes it makes.
    pub fn kind(&self) -> CodeKind {
        self.kind
    }

    /// c
    pub fn center(&self) -> &[f32] {
        &self.center
    }

    /// H
    pub(super) fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// The number of dimensions.
    pub fn dimensions(&self) -> usize {
        self.center.len()
    }

    /// Encodes a vector of [`Self::dimensions`] dimensions, or NULL, into `row`, which is for as many.
    pub fn encode(&self, vector: Option<&[f32]>, row: &mut EncodedRow) {
        let Some(vector) = vector else {
            row.clear(RowState::Null);
            return;
        };
        row.centred.copy_from_slice(vector);
        for (component, center) in row.centred.iter_mut().zip(&self.center) {
            *component -= center;
        }
        let is_coded = match self.kind {
            CodeKind::Rotated => self.encode_rotated(vector, row),
            CodeKind::Taxicab => encode_taxicab(row),
        };
        if is_coded {
            let is_zero = vector.iter().all(|&component| component == 0.0);
            row.state = if is_zero { RowState::Zero } else { RowState::Coded };
        } else {
            row.clear(RowState::Unbounded);
        }
    }

    /// Returns whether the row can be bounded.
    fn encode_rotated(&self, vector: &[f32], row: &mut EncodedRow) -> bool {
        let norm = square(vector).sqrt();
        let distance = square(&row.centred).sqrt();
        if !is_boundable(norm) || !is_boundable(distance) {
            return false;
        }
        let center_dot = dot(&self.center, &row.centred);
        self.rotation.apply(&mut row.centred);
        let dimensions = row.centred.len();
        let rms = distance / (dimensions as f64).sqrt();
        let mut per_step = 0.0;
        if distance > 0.0 {
            let mut best = f32::NEG_INFINITY;
            for clip in CLIPS {
                let candidate = 127.5 / (clip * to_f32(rms));
                let fit = coarse_fit(&row.centred, candidate);
                if fit > best {
                    (best, per_step) = (fit, candidate);
                }
            }
        }
        quantise_spread(&row.centred, per_step, &mut row.codes[..dimensions]);
        row.pack();
        let square_norm = square(&row.centred);
        let [g, h, rho] = row.rotated_level(coarse_level, square_norm);
        row.fine_constants = row.rotated_level(fine_level, square_norm);
        let inverse = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        row.constants = [g, h, rho, to_f32(center_dot), to_f32(inverse)];
        true
    }

    /// Whether a stored row's constants are such that its bounds are right: what the proof in ARCHITECTURE.md takes
    /// for granted. For rows that were read from an index, which may be damaged or written by another version.
    ///
    /// # Errors
    /// Names the first constant that is not.
    pub fn verify(&self, vector: Option<&[f32]>, stored: &mut EncodedRow) -> Result<(), Violation> {
        /// Relative; some times the rounding of the constants themselves.
        const TOLERANCE: f64 = 1.0 / 2_097_152.0;

        let mut fresh = EncodedRow::new(self.dimensions());
        self.encode(vector, &mut fresh);
        if fresh.state != stored.state {
            return Err(Violation("the state"));
        }
        if matches!(stored.state, RowState::Null | RowState::Unbounded | RowState::Free) {
            return Ok(());
        }
        stored.centred.copy_from_slice(&fresh.centred);
        stored.unpack();
        let near = |a: f32, b: f64, scale: f64| (f64::from(a) - b).abs() <= TOLERANCE * scale;
        match self.kind {
            CodeKind::Rotated => {
                let square_norm = square(&stored.centred);
                let norm = square_norm.sqrt();
                let [g, h, rho, m, v] = stored.constants;
                let levels: [(LevelOf, [f32; 3], [&'static str; 3]); 2] = [
                    (coarse_level, [g, h, rho], ["coarse g", "coarse h", "coarse residual"]),
                    (fine_level, stored.fine_constants, ["fine g", "fine h", "fine residual"]),
                ];
                for (level, [g, h, rho], names) in levels {
                    let [right_g, right_h, right_rho] =
                        stored.rotated_level(level, square_norm).map(f64::from);
                    if !near(g, right_g, right_g) {
                        return Err(Violation(names[0]));
                    }
                    if !near(h, right_h, norm) {
                        return Err(Violation(names[1]));
                    }
                    if !near(rho, right_rho, right_rho) {
                        return Err(Violation(names[2]));
                    }
                }
                let [_, _, _, right_m, right_v] = fresh.constants;
                // Both were computed from the same vector in the same way.
                if m.to_bits() != right_m.to_bits() {
                    return Err(Violation("the product with the centre"));
                }
                if v.to_bits() != right_v.to_bits() {
                    return Err(Violation("the inverse norm"));
                }
            }
            CodeKind::Taxicab => {
                let [scale, rho, ..] = stored.constants;
                if !(scale > 0.0 && scale.is_finite()) {
                    return Err(Violation("the scale"));
                }
                let [right, right_fine] = stored.taxicab_residuals(scale).map(f64::from);
                if !near(rho, right, right) {
                    return Err(Violation("coarse residual"));
                }
                if !near(stored.fine_constants[0], right_fine, right_fine) {
                    return Err(Violation("fine residual"));
                }
            }
        }
        Ok(())
    }
}

type LevelOf = fn(u8) -> f32;

/// uⱼ of rotated codes, coarse
fn coarse_level(code: u8) -> f32 {
    2.0 * f32::from(code >> 4) - 15.0
}

/// uⱼ of rotated codes, fine
fn fine_level(code: u8) -> f32 {
    f32::from(super::kernels::levels::fine_level(i16::from(code)))
}

impl EncodedRow {
    /// g, h and ρ of a level, from the codes and the transformed vector.
    fn rotated_level(&mut self, level: LevelOf, square_norm: f64) -> [f32; 3] {
        /// Of the sums below: fewer than 16,000 roundings of 2⁻⁵³, relative to |x̃|².
        const ROUNDING: f64 = 1.0 / ((1u64 << 36) as f64);

        for (number, &code) in self.levels.iter_mut().zip(&self.codes) {
            *number = level(code);
        }
        let levels_square = square(&self.levels);
        let projection = dot(&self.centred, &self.levels);
        let g = to_f32(1.0 / levels_square.sqrt());
        let h = to_f32((projection / levels_square.sqrt()).max(0.0));
        // |x̃ − s·u|² with the scale that g and h, as stored, stand for.
        let scale = f64::from(g) * f64::from(h);
        let residual_square = square_norm - 2.0 * scale * projection + scale * scale * levels_square;
        let rho = (residual_square.max(0.0) + ROUNDING * square_norm).sqrt();
        [g, h, to_f32(rho).next_up()]
    }

    /// ρ of both levels, from the codes and the centred vector.
    fn taxicab_residuals(&mut self, scale: f32) -> [f32; 2] {
        /// Of centring, relative to each component, and of the sum.
        const ROUNDING: f64 = 1.0 / 4_194_304.0;

        let slack = ROUNDING * magnitude(&self.centred);
        let mut residual = |level: fn(u8) -> f32| {
            for (number, &code) in self.levels.iter_mut().zip(&self.codes) {
                *number = level(code);
            }
            to_f32((l1_residual(&self.centred, &self.levels, f64::from(scale)) + slack) * (1.0 + ROUNDING))
                .next_up()
        };
        [residual(|code| f32::from(code & 0xF0) - 120.0), residual(|code| f32::from(code) - 127.5)]
    }
}

/// Returns whether the row can be bounded.
fn encode_taxicab(row: &mut EncodedRow) -> bool {
    /// Quarters of an octave that are tried, from the one that clips nothing downwards.
    const TRIES: i32 = 8;

    let largest = row.centred.iter().fold(0f32, |largest, component| largest.max(component.abs()));
    if !is_boundable(f64::from(largest)) {
        return false;
    }
    let dimensions = row.centred.len();
    let widest = if largest > 0.0 { (4.0 * (f64::from(largest) / 127.0).log2()).ceil() } else { 0.0 };
    #[allow(clippy::cast_possible_truncation)] // a logarithm of something boundable
    let widest = widest as i32;
    let mut best: Option<(f32, [f32; 2])> = None;
    for quarters in (widest - TRIES + 1..=widest).rev() {
        let scale = to_f32((f64::from(quarters) / 4.0).exp2());
        quantise(&row.centred, 1.0 / scale, &mut row.codes[..dimensions]);
        let residuals = row.taxicab_residuals(scale);
        if best.is_none_or(|(_, [coarse, _])| residuals[0] < coarse) {
            best = Some((scale, residuals));
        }
    }
    let Some((scale, [coarse, fine])) = best else { return false };
    quantise(&row.centred, 1.0 / scale, &mut row.codes[..dimensions]);
    row.pack();
    row.constants = [scale, coarse, 0.0, 0.0, 0.0];
    row.fine_constants = [fine, 0.0, 0.0];
    true
}

#[allow(clippy::cast_possible_truncation)] // rounds
pub(super) fn to_f32(number: f64) -> f32 {
    number as f32
}
