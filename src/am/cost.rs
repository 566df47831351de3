//! What a scan costs.

use pgrx::{pg_guard, pg_sys};

use crate::types::expected_dim;

/// Cost of bounding a row that its page has not paid for, in units of `cpu_operator_cost`: a few nanoseconds.
const BOUND: f64 = 0.2;
/// Scan pages' share of the file; fine pages are the rest.
const SCAN_PAGES: f64 = 0.53;
/// Cost of a scan page, in units of `seq_page_cost`, which for a table includes much that is not done here: a third of what
/// a page of a table with its tuples takes from memory.
const SCAN_PAGE: f64 = 0.3;
/// Cost of giving a row, in units of `cpu_operator_cost`: far down the order seven rows are refined for each, and then it is
/// fetched and its distance computed.
const RETURN: f64 = 400.0;
/// The same for each dimension.
const RETURN_DIMENSION: f64 = 0.5;

/// Cost of a scan that should never be chosen.
const NEVER: f64 = 1e20;

/// Estimates a scan: the coarse pass has to be over before there is a first row, then rows cost the same each.
///
/// * start-up: every scan page is read in order, and every row bounded
/// * each row: its share of refinement, fetching it once more, and the operator; and what the core forgets of its page.
///
/// The core adds the table's pages, as if all rows were wanted, in no order (correlation 0), and takes a LIMIT's share of
/// everything after start-up. All rows together find most pages in cache, and the few that a LIMIT takes do not.
/// Without a LIMIT a large table is cheaper to scan and sort.
#[pg_guard]
#[allow(clippy::too_many_arguments)] // PostgreSQL's
pub(super) unsafe extern "C-unwind" fn amcostestimate(
    root: *mut pg_sys::PlannerInfo,
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
            let (start, each) = scan_cost(info, seq_page_cost);
            Some((start, each + forgotten_page_cost(root, path)))
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
///
/// # Safety
/// The planner's description of an index of this access method.
unsafe fn scan_cost(info: *const pg_sys::IndexOptInfo, seq_page_cost: f64) -> (f64, f64) {
    // SAFETY: the caller's; a setting of PostgreSQL's. The list of columns has their expressions, the vector's first.
    let (rows, pages, operator, dimensions) = unsafe {
        let column = (*(*(*info).indextlist).elements).ptr_value.cast::<pg_sys::TargetEntry>();
        let dimensions = expected_dim(pg_sys::exprTypmod((*column).expr.cast())).unwrap_or(0);
        ((*info).tuples, f64::from((*info).pages), pg_sys::cpu_operator_cost, dimensions)
    };
    #[allow(clippy::cast_precision_loss)] // at most 16,000
    let each = RETURN + RETURN_DIMENSION * dimensions as f64;
    (pages * SCAN_PAGES * SCAN_PAGE * seq_page_cost + rows * BOUND * operator, each * operator)
}

/// Cost of the pages of the rows that are likely to be given, beyond the share that the core takes of all rows' pages, for
/// each of them.
///
/// # Safety
/// The planner's, of one of its relations.
unsafe fn forgotten_page_cost(root: *mut pg_sys::PlannerInfo, path: *const pg_sys::IndexPath) -> f64 {
    // SAFETY: the caller's.
    unsafe {
        let all = (*(*path).indexinfo).tuples.max(1.0);
        if (*root).limit_tuples < 0.0 {
            return 0.0;
        }
        (page_cost(root, path, likely_given(root, path, all)) - page_cost(root, path, all)).max(0.0)
    }
}

/// How many rows are likely to be given of some: as many as a LIMIT wants, and those that the query's conditions drop before.
///
/// # Safety
/// The planner's, of one of its relations.
unsafe fn likely_given(root: *mut pg_sys::PlannerInfo, path: *const pg_sys::IndexPath, some: f64) -> f64 {
    // SAFETY: the caller's.
    unsafe {
        let limit = (*root).limit_tuples;
        if limit < 0.0 {
            return some;
        }
        let passing = ((*(*path).path.parent).rows / some).clamp(1.0 / some, 1.0);
        (limit / passing).clamp(1.0, some)
    }
}

/// Cost of the table's page of each of some rows in no order.
///
/// # Safety
/// The planner's, of one of its relations.
unsafe fn page_cost(root: *mut pg_sys::PlannerInfo, path: *const pg_sys::IndexPath, rows: f64) -> f64 {
    // SAFETY: the caller's.
    unsafe {
        let (table, info) = (&*(*path).path.parent, &*(*path).indexinfo);
        let mut random_page_cost = 0.0;
        pg_sys::get_tablespace_page_costs(table.reltablespace, &mut random_page_cost, std::ptr::null_mut());
        let pages = pg_sys::index_pages_fetched(rows, table.pages, f64::from(info.pages), root);
        pages * random_page_cost / rows
    }
}

/// Cost before the first row, and of each row, if only `found` rows are ranked.
///
/// # Safety
/// The planner's, of one of its relations and its scan by an index of this access method.
pub(crate) unsafe fn of_some_rows(
    root: *mut pg_sys::PlannerInfo,
    path: *const pg_sys::IndexPath,
    found: f64,
) -> (f64, f64) {
    // SAFETY: the caller's.
    unsafe {
        let info = (*path).indexinfo;
        let mut seq_page_cost = 0.0;
        pg_sys::get_tablespace_page_costs((*info).reltablespace, std::ptr::null_mut(), &mut seq_page_cost);
        let (start, each) = scan_cost(info, seq_page_cost);
        let table = &*(*path).path.parent;
        let conditions = table.baserestrictcost.per_tuple + pg_sys::cpu_tuple_cost;
        (
            start + table.baserestrictcost.startup,
            each + page_cost(root, path, likely_given(root, path, found)) + conditions,
        )
    }
}
