//! Offers the planner filter-first scans.

use std::ptr::{addr_of_mut, null_mut};

use pgrx::{pg_guard, pg_sys};

use super::limits::{Limit, limited_distance, limits_of};
use super::private::Private;
use super::{NAME, estimate, keys, node};
use crate::am::cost;
use crate::postgres::list_elements;
use crate::settings::ENABLE_FILTER_FIRST;

static mut PREVIOUS_HOOK: pg_sys::set_rel_pathlist_hook_type = None;

struct Methods(pg_sys::CustomPathMethods);

// SAFETY: constants, and functions that anybody may call; only a raw pointer to a constant string keeps it from being Sync.
unsafe impl Sync for Methods {}

static METHODS: Methods = Methods(pg_sys::CustomPathMethods {
    CustomName: NAME.as_ptr(),
    PlanCustomPath: Some(plan),
    ReparameterizeCustomPathByChild: None,
});

pub(super) fn install_hook() {
    // SAFETY: while the library is loaded, on the backend's only thread.
    unsafe {
        PREVIOUS_HOOK = pg_sys::set_rel_pathlist_hook;
        pg_sys::set_rel_pathlist_hook = Some(set_rel_pathlist);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn set_rel_pathlist(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    rti: pg_sys::Index,
    rte: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: the planner's arguments, handed on to whoever had the hook before.
    unsafe {
        if let Some(previous) = PREVIOUS_HOOK {
            previous(root, rel, rti, rte);
        }
        if !(*rel).baserestrictinfo.is_null() {
            offer(root, rel, &*rte);
        }
    }
}

/// Adds a path for each order that an index of ours gives, if other indexes serve the conditions, or one of them limits the
/// distance; and for each index of ours whose distance is limited, if no order is wanted.
///
/// # Safety
/// The planner's, while it makes the paths of a base relation.
unsafe fn offer(root: *mut pg_sys::PlannerInfo, rel: *mut pg_sys::RelOptInfo, rte: &pg_sys::RangeTblEntry) {
    // SAFETY: the caller's.
    unsafe {
        // Not of a sample of the table, not of a table that has been proved to give no row, and not where what is asked of the table
        // has values of other tables in it: scans that are not made for those have no place for them.
        let may_be_within = rte.tablesample.is_null()
            && (*rel).rows > 0.0
            && pg_sys::bms_num_members((*rel).lateral_relids) == 0
            && ENABLE_FILTER_FIRST.get();
        let mut ordered = ordered_paths(rel);
        let is_ordered = !ordered.is_empty();
        if !is_ordered && may_be_within {
            ordered = paths_within_limits(rel);
        }
        // The node may ask a condition twice of a row.
        if ordered.is_empty() || pg_sys::contain_volatile_functions((*rel).baserestrictinfo.cast()) {
            return;
        }
        let ordered: Vec<_> =
            ordered.into_iter().map(|index| with_all_keys(root, rel, index, is_ordered)).collect();
        if !ENABLE_FILTER_FIRST.get() {
            return;
        }
        let bitmap = if pg_sys::enable_bitmapscan { bitmap_path(root, rel) } else { None };
        for index in ordered {
            let limits = order_limits(rel, index);
            let within = share_within(root, index, &limits);
            if bitmap.is_some() {
                pg_sys::add_path(rel, path(root, rel, index, bitmap, &limits, within).cast());
            }
            if !limits.is_empty() && pg_sys::enable_indexscan {
                pg_sys::add_path(rel, path(root, rel, index, None, &limits, within).cast());
            }
        }
    }
}

/// A copy of a path with all conditions that its index's keys can serve; a path by itself, if it is one of the planner's and has not
/// had them all.
///
/// # Safety
/// The planner's relation, and a path by an index of ours with an order.
unsafe fn with_all_keys(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    index: *mut pg_sys::IndexPath,
    is_ordered: bool,
) -> *mut pg_sys::IndexPath {
    // SAFETY: the caller's. A copy is in memory that lives as long as the planning; the planner frees paths that another one is
    // better than, but no index paths.
    unsafe {
        let clauses = keys::index_clauses(rel, index, vector_column(index));
        let length = |list: *const pg_sys::List| list.as_ref().map_or(0, |list| list.length);
        if length(clauses) > length((*index).indexclauses) && is_ordered {
            let with_keys = pg_sys::create_index_path(
                root,
                (*index).indexinfo,
                clauses,
                (*index).indexorderbys,
                (*index).indexorderbycols,
                (*index).path.pathkeys,
                pg_sys::ScanDirection::ForwardScanDirection,
                false,
                null_mut(),
                1.0,
                false,
            );
            pg_sys::add_path(rel, with_keys.cast());
        }
        let copy = pg_sys::palloc(size_of::<pg_sys::IndexPath>()).cast::<pg_sys::IndexPath>();
        copy.write(*index);
        (*copy).indexclauses = clauses;
        copy
    }
}

/// The column of a path's order.
///
/// # Safety
/// A path with an order.
unsafe fn vector_column(path: *const pg_sys::IndexPath) -> i32 {
    // SAFETY: the caller's; there is a column for each order.
    unsafe { (*(*(*path).indexorderbycols).elements).int_value }
}

/// The conditions that limit the distance of a path's order.
///
/// # Safety
/// The planner's relation, and a path with an order.
unsafe fn order_limits(rel: *const pg_sys::RelOptInfo, index: *const pg_sys::IndexPath) -> Vec<Limit> {
    // SAFETY: the caller's; there is an order.
    unsafe { limits_of(rel, (*(*(*index).indexorderbys).elements).ptr_value.cast()) }
}

/// A path in the order of a limited distance for each index of ours that can give it: not for the planner to choose, but as if
/// the query wanted that order.
///
/// # Safety
/// The planner's relation.
unsafe fn paths_within_limits(rel: *mut pg_sys::RelOptInfo) -> Vec<*mut pg_sys::IndexPath> {
    // SAFETY: the caller's, whose indexes have been described.
    unsafe {
        let can_order = |&index: &*mut pg_sys::IndexOptInfo| {
            (*index).amcanorderbyop
                && ((*index).indpred.is_null() || (*index).predOK)
                && !(*index).hypothetical
        };
        let indexes: Vec<_> =
            list_elements::<pg_sys::IndexOptInfo>((*rel).indexlist).filter(can_order).collect();
        if indexes.is_empty() {
            return Vec::new();
        }
        let ours = pg_sys::get_index_am_oid(c"veraflat".as_ptr(), true);
        let in_order_of = |index: *mut pg_sys::IndexOptInfo| {
            list_elements::<pg_sys::RestrictInfo>((*rel).baserestrictinfo).find_map(|info| {
                let (distance, _) = limited_distance((*info).clause.cast())?;
                let column = column_of_distance(index, distance)?;
                let path = pg_sys::palloc0(size_of::<pg_sys::IndexPath>()).cast::<pg_sys::IndexPath>();
                (*path).path.type_ = pg_sys::NodeTag::T_IndexPath;
                (*path).path.pathtype = pg_sys::NodeTag::T_IndexScan;
                (*path).path.parent = rel;
                (*path).indexinfo = index;
                (*path).indexorderbys = pg_sys::lappend(null_mut(), distance.cast());
                (*path).indexorderbycols = pg_sys::lappend_int(null_mut(), column);
                Some(path)
            })
        };
        indexes.into_iter().filter(|&index| (*index).relam == ours).filter_map(in_order_of).collect()
    }
}

/// The column of an index that gives rows in the order of a distance.
///
/// # Safety
/// The planner's description of an index, and an expression over its table.
unsafe fn column_of_distance(index: *mut pg_sys::IndexOptInfo, distance: *mut pg_sys::Node) -> Option<i32> {
    // SAFETY: the caller's; there is a family for each column.
    unsafe {
        if (*distance).type_ != pg_sys::NodeTag::T_OpExpr {
            return None;
        }
        let distance = &*distance.cast::<pg_sys::OpExpr>();
        let mut sides = list_elements::<pg_sys::Node>(distance.args);
        let (row, query) = (sides.next()?, sides.next()?);
        (0..(*index).nkeycolumns).find(|&column| {
            let family = *(*index).opfamily.add(usize::try_from(column).unwrap_or(0));
            pg_sys::get_op_opfamily_sortfamily(distance.opno, family) != pg_sys::InvalidOid
                && pg_sys::match_index_to_operand(row, column, index)
                && !pg_sys::contain_var_clause(query)
        })
    }
}

/// Whether a path is of a type, and needs no values from other relations.
///
/// # Safety
/// A path.
unsafe fn is_plain(path: *const pg_sys::Path, tag: pg_sys::NodeTag) -> bool {
    // SAFETY: the caller's.
    unsafe { (*path).type_ == tag && (*path).param_info.is_null() }
}

/// The relation's scans by an index of ours, in the order of a distance.
unsafe fn ordered_paths(rel: *const pg_sys::RelOptInfo) -> Vec<*mut pg_sys::IndexPath> {
    // SAFETY: the caller's, who has the planner's relation; a path of that type is an IndexPath.
    unsafe {
        // All of a table's indexes are looked at for every query on it; most have none of ours.
        let found: Vec<*mut pg_sys::IndexPath> = list_elements::<pg_sys::Path>((*rel).pathlist)
            .filter(|&path| is_plain(path, pg_sys::NodeTag::T_IndexPath))
            .map(<*mut pg_sys::Path>::cast::<pg_sys::IndexPath>)
            .filter(|&path| !(*path).indexorderbys.is_null())
            .collect();
        if found.is_empty() {
            return found;
        }
        let ours = pg_sys::get_index_am_oid(c"veraflat".as_ptr(), true);
        found.into_iter().filter(|&path| (*(*path).indexinfo).relam == ours).collect()
    }
}

/// What the planner has when it looks for a bitmap scan again, and has to have afterwards.
struct Paths {
    rel: *mut pg_sys::RelOptInfo,
    paths: *mut pg_sys::List,
    partial_paths: *mut pg_sys::List,
    enable_indexscan: bool,
    enable_indexonlyscan: bool,
}

impl Paths {
    unsafe fn set_aside(rel: *mut pg_sys::RelOptInfo) -> Self {
        // SAFETY: the caller's, who has the planner's relation; settings of PostgreSQL's, put back by drop.
        unsafe {
            let paths = Self {
                rel,
                paths: (*rel).pathlist,
                partial_paths: (*rel).partial_pathlist,
                enable_indexscan: pg_sys::enable_indexscan,
                enable_indexonlyscan: pg_sys::enable_indexonlyscan,
            };
            (*rel).pathlist = null_mut();
            (*rel).partial_pathlist = null_mut();
            pg_sys::enable_indexscan = false;
            pg_sys::enable_indexonlyscan = false;
            paths
        }
    }
}

impl Drop for Paths {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe {
            (*self.rel).pathlist = self.paths;
            (*self.rel).partial_pathlist = self.partial_paths;
            pg_sys::enable_indexscan = self.enable_indexscan;
            pg_sys::enable_indexonlyscan = self.enable_indexonlyscan;
        }
    }
}

/// The relation's best bitmap scan by its own conditions: a copy, because the planner frees paths (but those of index scans) that
/// another one is better than, and ours may be.
///
/// The planner may have dropped it for a plain index scan that is cheaper; so without one it is asked again, with those
/// made dear.
unsafe fn bitmap_path(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
) -> Option<*mut pg_sys::BitmapHeapPath> {
    let find = |paths: *const pg_sys::List| {
        // SAFETY: the caller's, who has the planner's relation.
        unsafe {
            list_elements::<pg_sys::Path>(paths)
                .find(|&path| is_plain(path, pg_sys::NodeTag::T_BitmapHeapPath) && !(*path).parallel_aware)
                .map(<*mut pg_sys::Path>::cast)
        }
    };
    // SAFETY: as above. The copy is in memory that lives as long as the planning; an error puts back what was set aside.
    unsafe {
        let found: *mut pg_sys::BitmapHeapPath = find((*rel).pathlist).or_else(|| {
            let _paths = Paths::set_aside(rel);
            pg_sys::create_index_paths(root, rel);
            find((*rel).pathlist)
        })?;
        let copy = pg_sys::palloc(size_of::<pg_sys::BitmapHeapPath>()).cast::<pg_sys::BitmapHeapPath>();
        copy.write(*found);
        Some(copy)
    }
}

/// The share of rows within limits.
///
/// # Safety
/// The planner's, of one of its paths.
unsafe fn share_within(
    root: *mut pg_sys::PlannerInfo,
    index: *const pg_sys::IndexPath,
    limits: &[Limit],
) -> f64 {
    if limits.is_empty() {
        return 1.0;
    }
    // SAFETY: the caller's.
    unsafe {
        estimate::share_within(root, index, limits).unwrap_or_else(|| {
            let join = pg_sys::JoinType::JOIN_INNER;
            let selectivity =
                |limit: &Limit| pg_sys::clause_selectivity(root, limit.condition, 0, join, null_mut());
            limits.iter().map(selectivity).product()
        })
    }
}

/// The share of rows that meet the conditions other than the limits of the distance.
///
/// # Safety
/// The planner's relation.
unsafe fn share_meeting_others(
    root: *mut pg_sys::PlannerInfo,
    rel: *const pg_sys::RelOptInfo,
    limits: &[Limit],
) -> f64 {
    // SAFETY: the caller's.
    unsafe {
        let is_other = |&info: &*mut pg_sys::RestrictInfo| {
            limits.iter().all(|limit| limit.condition != (*info).clause.cast())
        };
        let others = list_elements::<pg_sys::RestrictInfo>((*rel).baserestrictinfo)
            .filter(is_other)
            .fold(null_mut(), |list, info| pg_sys::lappend(list, info.cast()));
        let join = pg_sys::JoinType::JOIN_INNER;
        pg_sys::clauselist_selectivity(root, others, (*rel).relid.cast_signed(), join, null_mut())
    }
}

/// Whether the limits of the distance are all that is asked of a relation: no other condition, and no column.
///
/// # Safety
/// The planner's relation.
unsafe fn asks_limits_only(rel: *const pg_sys::RelOptInfo, limits: &[Limit]) -> bool {
    // SAFETY: the caller's.
    unsafe {
        (*(*rel).reltarget).exprs.is_null()
            && list_elements::<pg_sys::RestrictInfo>((*rel).baserestrictinfo)
                .all(|info| limits.iter().any(|limit| limit.condition == (*info).clause.cast()))
    }
}

/// A path over the rows that a bitmap scan finds, or over all; with the share of rows that is within the limits.
///
/// # Safety
/// The planner's relation and its paths.
unsafe fn path(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    index: *mut pg_sys::IndexPath,
    bitmap: Option<*mut pg_sys::BitmapHeapPath>,
    limits: &[Limit],
    within: f64,
) -> *mut pg_sys::CustomPath {
    // SAFETY: the caller's.
    unsafe {
        let (mut bitmap_cost, mut in_bitmap_share, mut in_bitmap) = (0.0, 1.0, 0.0);
        if let Some(bitmap) = bitmap {
            pg_sys::cost_bitmap_tree_node((*bitmap).bitmapqual, &mut bitmap_cost, &mut in_bitmap_share);
            in_bitmap = in_bitmap_share * (*rel).tuples;
            bitmap_cost += cost::of_bitmap(in_bitmap);
        }
        // The bitmap's conditions may be among those of the keys.
        let meeting_keys = cost::share_meeting_keys(root, index);
        let asked = (in_bitmap_share * meeting_keys)
            .max(share_meeting_others(root, rel, limits).min(in_bitmap_share));
        let found = (asked * within * (*rel).tuples).max(1.0);
        let (mut start, mut each) = cost::of_some_rows(root, index, found);
        let is_ordered = !(*index).path.pathkeys.is_null();
        if let Some(bitmap) = bitmap
            && cost::fetches_all(index, in_bitmap)
        {
            // As PostgreSQL's own scan of that bitmap, and all of it before the first row.
            bitmap_cost = (*bitmap).path.total_cost;
            start = in_bitmap * each;
            each = 0.0;
        } else if !is_ordered {
            let fetched = if asks_limits_only(rel, limits) { 1.0 - (*rel).allvisfrac } else { 1.0 };
            each = cost::of_row_within(root, index, found, fetched);
        }
        let total = start + found * each;
        // Without an order to give, the first row need not wait for the last to be bounded.
        let start = if is_ordered { start } else { 0.0 };

        let path = pg_sys::palloc0(size_of::<pg_sys::CustomPath>()).cast::<pg_sys::CustomPath>();
        (*path).path.type_ = pg_sys::NodeTag::T_CustomPath;
        (*path).path.pathtype = pg_sys::NodeTag::T_CustomScan;
        (*path).path.parent = rel;
        (*path).path.pathtarget = (*rel).reltarget;
        (*path).path.rows = (*rel).rows;
        (*path).path.startup_cost = bitmap_cost + start;
        (*path).path.total_cost = bitmap_cost + total;
        (*path).path.pathkeys = (*index).path.pathkeys;
        #[cfg(feature = "pg18")]
        {
            (*path).path.disabled_nodes = bitmap.map_or(0, |bitmap| (*bitmap).path.disabled_nodes);
        }
        (*path).flags = pg_sys::CUSTOMPATH_SUPPORT_PROJECTION;
        if let Some(bitmap) = bitmap {
            (*path).custom_paths = pg_sys::lappend(null_mut(), bitmap.cast());
        }
        (*path).custom_private = pg_sys::lappend(null_mut(), index.cast());
        (*path).methods = &raw const METHODS.0;
        path
    }
}

/// Makes the plan of a path.
#[pg_guard]
unsafe extern "C-unwind" fn plan(
    _root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    best_path: *mut pg_sys::CustomPath,
    targets: *mut pg_sys::List,
    clauses: *mut pg_sys::List,
    plans: *mut pg_sys::List,
) -> *mut pg_sys::Plan {
    // SAFETY: the planner gives a path that `path` has made, and the plan of the bitmap scan in it.
    unsafe {
        let index =
            list_elements::<pg_sys::IndexPath>((*best_path).custom_private).next().unwrap_or(null_mut());
        let limits = order_limits(rel, index);
        let scan = pg_sys::palloc0(size_of::<pg_sys::CustomScan>()).cast::<pg_sys::CustomScan>();
        let plan = addr_of_mut!((*scan).scan.plan);
        (*plan).type_ = pg_sys::NodeTag::T_CustomScan;
        // PostgreSQL may ask for all columns where none is needed.
        let asks_nothing = (*(*best_path).path.pathtarget).exprs.is_null();
        (*plan).targetlist = if asks_nothing { null_mut() } else { targets };
        // All conditions, in PostgreSQL's order: rows are asked them whether the bitmap is exact or not.
        (*plan).qual = pg_sys::extract_actual_clauses(clauses, false);
        // Of the bitmap scan only what makes the bitmap.
        if let Some(mut bitmap_scan) = list_elements::<pg_sys::Plan>(plans).next() {
            // Under a Result, if there are conditions that are the same for all rows; PostgreSQL puts one over this scan too.
            while (*bitmap_scan).type_ != pg_sys::NodeTag::T_BitmapHeapScan {
                bitmap_scan = (*bitmap_scan).lefttree;
            }
            (*plan).lefttree = (*bitmap_scan).lefttree;
        }
        (*scan).scan.scanrelid = (*rel).relid;
        (*scan).flags = (*best_path).flags;
        let private = Private {
            index: (*(*index).indexinfo).indexoid,
            is_ordered: !(*index).path.pathkeys.is_null(),
            asks_limits_only: asks_limits_only(rel, &limits)
                && !pg_sys::contain_var_clause((*plan).targetlist.cast()),
            orders: list_elements((*index).indexorderbys).collect(),
            keys: keys::conditions((*index).indexclauses, vector_column(index)),
            limits: limits.iter().map(|limit| (limit.value, limit.side)).collect(),
        };
        private.write(&mut *scan);
        (*scan).methods = node::scan_methods();
        plan
    }
}
