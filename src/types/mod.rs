//! The SQL types of vectors, of single and of half precision: their datums, their input and output, their functions other than distances.

mod aggregates;
mod arrays;
mod comparison;
mod functions;
mod io;
mod varlena;

pub(crate) use arrays::ArrayArg;
pub(crate) use varlena::{Vector, VectorBuf, Widened};

/// A `veravec` argument.
pub(crate) type Veravec<'fcx> = Vector<'fcx, f32>;

/// The dimensions that a type modifier asks for; -1 is none.
pub(crate) fn expected_dim(typmod: i32) -> Option<usize> {
    usize::try_from(typmod).ok()
}
