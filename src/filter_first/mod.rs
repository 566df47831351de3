//! Filter first: a scan that ranks the rows that other indexes find for a query's conditions.
//!
//! PostgreSQL would sort those rows, and so fetch every one of them; or scan them all in the order of a `veraflat` index, and drop
//! most. This node takes the bitmap of the former and the bounds of the latter: it bounds the rows in the bitmap by their
//! codes, and fetches only those that are among the first. What it gives has passed all of the query's conditions, and is
//! in the order of the operators' own distances; so it differs from the other plans in time only.
//!
//! [`path`] offers it to the planner, by [`limits`] of the distance and conditions on [`keys`]; [`node`] is what the executor runs,
//! [`bitmap`] reads PostgreSQL's bitmap. ARCHITECTURE.md,
//! "Filter first", has the whole picture.

mod bitmap;
mod estimate;
mod explain;
mod keys;
mod limits;
mod node;
mod path;
mod private;

/// The node's name in EXPLAIN.
const NAME: &std::ffi::CStr = c"VeraFilterFirst";

/// Makes the planner and the executor know of the node; called once in each backend.
pub(crate) fn install() {
    node::register();
    path::install_hook();
}
