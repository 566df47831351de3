//! What a scan costs.

use pgrx::{pg_guard, pg_sys};

use crate::postgres::list_elements;
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

/// Cost of a row in another index's bitmap: to find it, to sort it, and to look its TID up; in units of `cpu_operator_cost`.
const IN_BITMAP: f64 = 40.0;

/// Cost of a scan that should never be chosen.
const NEVER: f64 = 1e20;

/// Cost of testing a row's keys, in units of `cpu_operator_cost`.
const TEST: f64 = 0.1;

/// Estimates a scan: the coarse pass has to be over before there is a first row, then rows cost the same each.
///
/// * start-up: every scan page that may have rows which meet the index's conditions is read in order, and every row there bounded
/// * each row that meets them: its share of refinement, fetching it once more, and the operator; and what the core forgets of its
///   page.
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
        let conditions = Conditions::of(root, path);
        // Without an order to give, the index can do nothing that the table can't do better.
        let costs = if (*path).indexorderbys.is_null() {
            None
        } else {
            let (start, each) = scan_cost(path, conditions);
            Some((start, each + forgotten_page_cost(root, path, conditions)))
        };
        #[cfg(feature = "pg18")]
        if costs.is_none() {
            // More than what any enable_* setting adds, which from PostgreSQL 18 on comes before costs.
            (*path).path.disabled_nodes = 2;
        }
        let (start, each) = costs.unwrap_or((NEVER, 0.0));
        *startup_cost = start;
        *total_cost = start + each * conditions.all * (*info).tuples;
        *selectivity = conditions.all;
        *correlation = 0.0;
        *pages = f64::from((*info).pages);
    }
}

/// The share of the index's rows that meet its conditions.
#[derive(Clone, Copy)]
struct Conditions {
    all: f64,
    /// Those on the first key, by which a build sorts rows.
    first_key: f64,
}

impl Conditions {
    /// # Safety
    /// The planner's, of one of its relations and a path of its index.
    unsafe fn of(root: *mut pg_sys::PlannerInfo, path: *const pg_sys::IndexPath) -> Self {
        // SAFETY: the caller's; lists of the planner's have as many elements as they say.
        unsafe {
            let relation = (*(*(*path).indexinfo).rel).relid.cast_signed();
            let vector = vector_column(path);
            let first_key = usize::from(vector == 0);
            let selectivity = |is_wanted: &dyn Fn(usize) -> bool| {
                let clauses = list_elements::<pg_sys::IndexClause>((*path).indexclauses)
                    .filter(|&clause| usize::try_from((*clause).indexcol).is_ok_and(is_wanted))
                    .fold(std::ptr::null_mut(), |list, clause| pg_sys::lappend(list, clause.cast()));
                if clauses.is_null() {
                    return 1.0;
                }
                let conditions = pg_sys::get_quals_from_indexclauses(clauses);
                let join = pg_sys::JoinType::JOIN_INNER;
                pg_sys::clauselist_selectivity(root, conditions, relation, join, std::ptr::null_mut())
            };
            // That the vector is to be NULL, or not to be, is asked of the rows that are found.
            Self {
                all: selectivity(&|column| column != vector),
                first_key: selectivity(&|column| column == first_key),
            }
        }
    }
}

/// The number of the column that the order is of; 0 if there is no order.
///
/// # Safety
/// The planner's path.
unsafe fn vector_column(path: *const pg_sys::IndexPath) -> usize {
    // SAFETY: the caller's; there is a column for each order.
    unsafe {
        (*path)
            .indexorderbycols
            .as_ref()
            .map_or(0, |columns| (*columns.elements).int_value.cast_unsigned() as usize)
    }
}

/// Cost before the first row, and of each row that meets the index's conditions.
///
/// # Safety
/// The planner's path of an index of this access method, with an order.
unsafe fn scan_cost(path: *const pg_sys::IndexPath, conditions: Conditions) -> (f64, f64) {
    // SAFETY: the caller's; a setting of PostgreSQL's. The list of columns has their expressions.
    let (rows, pages, operator, dimensions, seq_page_cost) = unsafe {
        let info = (*path).indexinfo;
        let column = (*(*(*info).indextlist).elements.add(vector_column(path))).ptr_value;
        let typmod = pg_sys::exprTypmod((*column.cast::<pg_sys::TargetEntry>()).expr.cast());
        let mut seq_page_cost = 0.0;
        pg_sys::get_tablespace_page_costs((*info).reltablespace, std::ptr::null_mut(), &mut seq_page_cost);
        let (tuples, pages) = ((*info).tuples, f64::from((*info).pages));
        (tuples, pages, pg_sys::cpu_operator_cost, expected_dim(typmod).unwrap_or(0), seq_page_cost)
    };
    let scan_pages = pages * SCAN_PAGES;
    // Of those that lie together, each page that has a row.
    let read = (scan_pages * conditions.first_key).min(rows * conditions.all).max(1.0);
    let tested = if conditions.all < 1.0 { rows * conditions.first_key * TEST } else { 0.0 };
    let bounded = rows * (read / scan_pages.max(1.0)).min(1.0) * BOUND;
    #[allow(clippy::cast_precision_loss)] // at most 16,000
    let each = RETURN + RETURN_DIMENSION * dimensions as f64;
    (read * SCAN_PAGE * seq_page_cost + (tested + bounded) * operator, each * operator)
}

/// Cost of the pages of the rows that are likely to be given, beyond the share that the core takes of all rows' pages, for
/// each of them.
///
/// # Safety
/// The planner's, of one of its relations.
unsafe fn forgotten_page_cost(
    root: *mut pg_sys::PlannerInfo,
    path: *const pg_sys::IndexPath,
    conditions: Conditions,
) -> f64 {
    // SAFETY: the caller's.
    unsafe {
        let all = ((*(*path).indexinfo).tuples * conditions.all).max(1.0);
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

/// With a row found for as many scan pages, or fewer, reading the pages takes longer than fetching all of the rows.
pub(crate) const PAGES_OF_A_ROW: usize = 12;

/// Cost of so many rows in a bitmap, beyond what PostgreSQL says that it costs.
pub(crate) fn of_bitmap(rows: f64) -> f64 {
    // SAFETY: a setting of PostgreSQL's.
    rows * IN_BITMAP * unsafe { pg_sys::cpu_operator_cost }
}

/// Whether so many rows in a bitmap are likely to be fetched, all of them.
///
/// # Safety
/// The planner's path of an index of this access method.
pub(crate) unsafe fn fetches_all(path: *const pg_sys::IndexPath, rows: f64) -> bool {
    // SAFETY: the caller's.
    let pages = f64::from(unsafe { (*(*path).indexinfo).pages });
    #[allow(clippy::cast_precision_loss)] // a small number
    {
        rows * PAGES_OF_A_ROW as f64 <= pages * SCAN_PAGES
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
        let all = (found / (*(*path).indexinfo).tuples.max(1.0)).min(1.0);
        let first_key = Conditions::of(root, path).first_key;
        let (start, each) = scan_cost(path, Conditions { all, first_key });
        let table = &*(*path).path.parent;
        let conditions = table.baserestrictcost.per_tuple + pg_sys::cpu_tuple_cost;
        (
            start + table.baserestrictcost.startup,
            each + page_cost(root, path, likely_given(root, path, found)) + conditions,
        )
    }
}

/// The share of rows that meet a path's conditions on keys.
///
/// # Safety
/// The planner's, a path with an order.
pub(crate) unsafe fn share_meeting_keys(
    root: *mut pg_sys::PlannerInfo,
    path: *const pg_sys::IndexPath,
) -> f64 {
    // SAFETY: the caller's.
    unsafe { Conditions::of(root, path).all }
}

/// Cost of each of `found` rows that are wanted in no order, of which a share is fetched: all are refined once, and those are met in
/// the table's order, as by PostgreSQL's bitmap heap scan.
///
/// # Safety
/// The planner's, of one of its relations and its scan by an index of this access method.
pub(crate) unsafe fn of_row_within(
    root: *mut pg_sys::PlannerInfo,
    path: *const pg_sys::IndexPath,
    found: f64,
    fetched: f64,
) -> f64 {
    // SAFETY: the caller's.
    unsafe {
        let (_, in_order) = scan_cost(path, Conditions { all: 1.0, first_key: 1.0 });
        // Of what a row costs in order, where seven are refined for each.
        let refined = in_order / 7.0;
        let (table, info) = (&*(*path).path.parent, &*(*path).indexinfo);
        let (mut random_page_cost, mut seq_page_cost) = (0.0, 0.0);
        pg_sys::get_tablespace_page_costs(table.reltablespace, &mut random_page_cost, &mut seq_page_cost);
        let all_pages = f64::from(table.pages).max(1.0);
        let pages =
            pg_sys::index_pages_fetched(found, table.pages, f64::from(info.pages), root).min(all_pages);
        let page = random_page_cost - (random_page_cost - seq_page_cost) * (pages / all_pages).sqrt();
        let conditions = table.baserestrictcost.per_tuple + pg_sys::cpu_tuple_cost;
        refined + fetched * (refined + pages * page / found + conditions)
    }
}
