//! The index access method `veraflat`. ARCHITECTURE.md, "The index", is its description.
//!
//! One file for each group of callbacks; PostgreSQL's chapter "Index Access Method Interface Definition" says what each
//! has to do.

mod build;
pub(crate) mod columns;
pub(crate) mod cost;
mod heap;
mod insert;
mod inspect;
mod options;
mod scan;
mod sort;
pub(crate) mod source;
mod vacuum;
mod validate;
pub(crate) mod value;

use pgrx::pg_sys;
use vera_vec_core::Metric;

/// Operators by strategy number: what an operator class says they mean.
const STRATEGIES: [(u16, Metric); 4] =
    [(1, Metric::L2), (2, Metric::NegativeInnerProduct), (3, Metric::Cosine), (4, Metric::L1)];

pub(crate) fn metric_of(strategy: u16) -> Option<Metric> {
    STRATEGIES.into_iter().find(|&(number, _)| number == strategy).map(|(_, metric)| metric)
}

/// Says which functions are the access method.
///
/// # Safety
/// Called by PostgreSQL.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn veraflat_handler(_fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    let routine = pg_sys::IndexAmRoutine {
        type_: pg_sys::NodeTag::T_IndexAmRoutine,
        amstrategies: 5,
        amsupport: columns::support::COUNT,
        amoptsprocnum: 0,
        amcanorderbyop: true,
        amcanmulticol: true,
        // Without a condition the index still has all rows, NULL ones too.
        amoptionalkey: true,
        amsearcharray: true,
        amsearchnulls: true,
        // A relation's, taken and looked for where pages are read and changed.
        ampredlocks: true,
        amparallelvacuumoptions: parallel_vacuum_options(),
        ambuild: Some(build::ambuild),
        ambuildempty: Some(build::ambuildempty),
        aminsert: Some(insert::aminsert),
        ambulkdelete: Some(vacuum::ambulkdelete),
        amvacuumcleanup: Some(vacuum::amvacuumcleanup),
        amcostestimate: Some(cost::amcostestimate),
        amoptions: Some(options::amoptions),
        amproperty: Some(options::amproperty),
        ambuildphasename: Some(build::ambuildphasename),
        amvalidate: Some(validate::amvalidate),
        ambeginscan: Some(scan::ambeginscan),
        amrescan: Some(scan::amrescan),
        amgettuple: Some(scan::amgettuple),
        amendscan: Some(scan::amendscan),
        // The rest is false or none: no uniqueness, no order of its own, no bitmap scans (a bitmap has no order), no backward
        // or parallel scans.
        ..Default::default()
    };
    // SAFETY: allocates as many bytes as are then written, in the caller's memory context.
    let copy = unsafe {
        let copy = pg_sys::palloc0(size_of::<pg_sys::IndexAmRoutine>()).cast::<pg_sys::IndexAmRoutine>();
        copy.write(routine);
        copy
    };
    pg_sys::Datum::from(copy)
}

/// What PostgreSQL asks of a function before it calls it: the version of the calling convention.
#[unsafe(no_mangle)]
extern "C" fn pg_finfo_veraflat_handler() -> &'static pg_sys::Pg_finfo_record {
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

#[allow(clippy::cast_possible_truncation)] // bits of a byte
fn parallel_vacuum_options() -> u8 {
    (pg_sys::VACUUM_OPTION_PARALLEL_BULKDEL | pg_sys::VACUUM_OPTION_PARALLEL_COND_CLEANUP) as u8
}
