//! The part of vera_vec that knows nothing of PostgreSQL.
//!
//! * [`element`]: the numbers a vector is made of ([`Element`]), and the limits of a vector
//! * [`vector`]: arithmetic, norms, order and slices of vectors
//! * [`text`], [`wire`]: the text and binary forms
//! * [`metric`]: the distances ([`Metric`]): formulas, ranges, NaN rules
//! * [`distance`]: the kernels that compute them, chosen for the CPU at run time
//! * [`codes`]: short codes of vectors, and lower bounds of distances from them
//! * [`keys`]: eight bytes for a value of a key column, and conditions on them
//! * [`page`]: the pages of an index, over byte slices
//! * [`search`], [`ranking`], [`within`]: which rows to look at, and in which order to give them
//! * [`filter`]: the document store's filters on metadata and content: parsed, turned into SQL, evaluated
//! * [`error`]: everything that can be wrong with a value, and what the user is told
//!
//! Everything here works on slices and integers, so that it can be tested, fuzzed and measured without a
//! server. Nothing here reads the environment, and only [`distance`] and [`codes::kernels`] contain unsafe code.

#![deny(unsafe_code)]
#![deny(missing_docs)]

pub mod codes;
pub mod distance;
pub mod element;
pub mod error;
pub mod filter;
pub mod keys;
pub mod metric;
pub mod page;
pub mod ranking;
pub mod search;
pub mod text;
pub mod tid_set;
pub mod vector;
pub mod wire;
pub mod within;

pub use element::{Element, MAX_DIM};
pub use error::VectorError;
pub use metric::Metric;
