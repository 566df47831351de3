//! What a scan costs.

use pgrx::{pg_guard, pg_sys};

/// Cost of bounding a row that its page has not paid for, in units of `cpu_operator_cost`: a few nanoseconds.
const BOUND: f64 = 0.2;
/// Scan pages' share of the file; fine pages are the rest.
const SCAN_PAGES: f64 = 0.53;
/// Cost of a scan page, in units of `seq_page_cost`, which for a table includes much that is not done here: a third of what
/// a page of a table with its tuples takes from memory.
const SCAN_PAGE: f64 = 0.3;
/// Cost of giving a row, in units of `cpu_operator_cost`: refining some others, fetching the row, and its distance. Far down
/// the order seven rows are refined for one that is given. A compromise: measured against sequential scans it is twice
/// as much where rows lie in the table's pages, and less where they are in TOAST, whose pages are not counted there.
const RETURN: f64 = 2400.0;

/// Cost of a scan that should never be chosen.
const NEVER: f64 = 1e20;

/// Estimates a scan: the coarse pass has to be over before there is a first row, then rows cost the same each.
///
/// * start-up: every scan page is read in order, and every row bounded
/// * each row: its share of refinement, fetching it once more, and the operator.
///
/// The core adds fetching rows from the table, which it takes to be in no order (correlation 0), and takes a LIMIT's
/// share of everything after start-up. So without a LIMIT a large table is cheaper to scan and sort.
#[pg_guard]
#[allow(clippy::too_many_arguments)] // PostgreSQL's
pub(super) unsafe extern "C-unwind" fn amcostestimate(
    _root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    _loop_count: f64,
    startup_cost: *mut pg_sys::Cost,
    total_cost: *mut pg_sys::Cost,
    selectivity: *mut pg_sys::Selectivity,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: the planner gives a path with its index, and places for the answers.
    unsafe {
        let info = (*path).indexinfo;
        // Without an order to give, the index can do nothing that the table can't do better.
        let costs = if (*path).indexorderbys.is_null() {
            None
        } else {
            let mut seq_page_cost = 0.0;
            pg_sys::get_tablespace_page_costs(
                (*info).reltablespace,
                std::ptr::null_mut(),
                &mut seq_page_cost,
            );
            Some(scan_cost((*info).tuples, f64::from((*info).pages), seq_page_cost))
        };
        #[cfg(feature = "pg18")]
        if costs.is_none() {
            // More than what any enable_* setting adds, which from PostgreSQL 18 on comes before costs.
            (*path).path.disabled_nodes = 2;
        }
        let (start, each) = costs.unwrap_or((NEVER, 0.0));
        *startup_cost = start;
        *total_cost = start + each * (*info).tuples;
        *selectivity = 1.0;
        *correlation = 0.0;
        *pages = f64::from((*info).pages);
    }
}

/// Cost before the first row, and of each row.
fn scan_cost(rows: f64, pages: f64, seq_page_cost: f64) -> (f64, f64) {
    // SAFETY: a setting of PostgreSQL's.
    let operator = unsafe { pg_sys::cpu_operator_cost };
    (pages * SCAN_PAGES * SCAN_PAGE * seq_page_cost + rows * BOUND * operator, RETURN * operator)
}
