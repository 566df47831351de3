//! The distances: the single place that says what each of them is.

/// A distance between two vectors of the same number of dimensions; smaller is nearer.
///
/// The formulas, and what is returned where a formula has no value, are pgvector's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// `<->`: Euclidean distance √Σ(aᵢ − bᵢ)². Range \[0, ∞\]; ∞ where a square overflows float32.
    L2,
    /// `<#>`: negative inner product −Σaᵢbᵢ. Range \[−∞, ∞\]; infinite, or NaN if both infinities meet,
    /// where products overflow float32.
    NegativeInnerProduct,
    /// `<=>`: cosine distance 1 − Σaᵢbᵢ / √(Σaᵢ² · Σbᵢ²). Range \[0, 2\]; NaN if either vector is zero, or
    /// its squares under- or overflow float32.
    Cosine,
    /// `<+>`: taxicab distance Σ|aᵢ − bᵢ|. Range \[0, ∞\]; ∞ where a difference overflows float32.
    L1,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::L2, Self::NegativeInnerProduct, Self::Cosine, Self::L1];
}
