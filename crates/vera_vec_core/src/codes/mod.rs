//! Vectors as 8-bit codes in two planes of 4 bits, by which a search rules most rows out before it reads them.
//!
//! * [`kernels`]: sums over the planes, and what they say of a row's distance

pub mod kernels;
