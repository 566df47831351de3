//! The SQL type of vectors: its datums, its input and output, its functions other than distances.

mod aggregates;
mod arrays;
mod comparison;
mod functions;
mod io;
mod varlena;

pub(crate) use varlena::{Vector, VectorBuf};

/// A `veravec` argument.
pub(crate) type Veravec<'fcx> = Vector<'fcx, f32>;

/// A `veravec` result.
pub(crate) type VeravecBuf = VectorBuf<f32>;

/// The dimensions that a type modifier asks for; -1 is none.
pub(crate) fn expected_dim(typmod: i32) -> Option<usize> {
    usize::try_from(typmod).ok()
}
