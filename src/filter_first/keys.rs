//! Conditions on an index's key columns.
//!
//! PostgreSQL matches conditions with columns for the index scans that it plans itself. Filter first has scans that it does
//! not plan; and before PostgreSQL 17 it leaves `= ANY (…)` out of an ordered scan if the column is not the index's first.

use std::ptr::null_mut;

use pgrx::pg_sys;

use crate::postgres::list_elements;

/// The conditions that a scan by an index can ask of its keys: those that its path has, and more that the relation has. A list of
/// IndexClause.
///
/// # Safety
/// The planner's relation, and a path of its index in the order of column `vector`.
pub(super) unsafe fn index_clauses(
    rel: *const pg_sys::RelOptInfo,
    path: *const pg_sys::IndexPath,
    vector: i32,
) -> *mut pg_sys::List {
    // SAFETY: the caller's.
    unsafe {
        let index = (*path).indexinfo;
        let mut clauses = pg_sys::list_copy((*path).indexclauses);
        for info in list_elements::<pg_sys::RestrictInfo>((*rel).baserestrictinfo) {
            let is_known =
                list_elements::<pg_sys::IndexClause>(clauses).any(|clause| (*clause).rinfo == info);
            // Keys are tested before anything that row-level security wants to be asked first.
            if is_known
                || (*info).pseudoconstant
                || !pg_sys::restriction_is_securely_promotable(info, (*index).rel)
            {
                continue;
            }
            let columns = (0..(*index).nkeycolumns).filter(|&column| column != vector);
            for column in columns {
                let Some(condition) = condition_on(info, index, column) else { continue };
                let clause = pg_sys::palloc0(size_of::<pg_sys::IndexClause>()).cast::<pg_sys::IndexClause>();
                (*clause).type_ = pg_sys::NodeTag::T_IndexClause;
                (*clause).rinfo = info;
                (*clause).indexquals = pg_sys::lappend(null_mut(), condition.cast());
                (*clause).indexcol = i16::try_from(column).unwrap_or_default() as pg_sys::AttrNumber;
                clauses = pg_sys::lappend(clauses, clause.cast());
                break;
            }
        }
        clauses
    }
}

/// The condition with the column on its left, if it is one that a column's operator class has.
///
/// # Safety
/// The planner's condition on an index's table, without volatile functions; the number of one of the index's columns.
unsafe fn condition_on(
    info: *mut pg_sys::RestrictInfo,
    index: *mut pg_sys::IndexOptInfo,
    column: i32,
) -> Option<*mut pg_sys::RestrictInfo> {
    // SAFETY: the caller's; an index has a family and a collation for each column; operators have as many arguments as
    // their node's type says.
    unsafe {
        let number = usize::try_from(column).ok()?;
        let (family, collation) = (*(*index).opfamily.add(number), *(*index).indexcollations.add(number));
        let is_column = |node| pg_sys::match_index_to_operand(node, column, index);
        let is_constant = |node| !pg_sys::contain_var_clause(node);
        // Of a column without a collation any will do.
        let fits = |operator, expression_collation| {
            pg_sys::op_in_opfamily(operator, family)
                && (collation == pg_sys::InvalidOid || collation == expression_collation)
        };
        let clause: *mut pg_sys::Node = (*info).clause.cast();
        match (*clause).type_ {
            pg_sys::NodeTag::T_OpExpr => {
                let clause = &*clause.cast::<pg_sys::OpExpr>();
                let mut operands = list_elements::<pg_sys::Node>(clause.args);
                let (left, right) = (operands.next()?, operands.next()?);
                if is_column(left) && is_constant(right) {
                    return fits(clause.opno, clause.inputcollid).then_some(info);
                }
                if !(is_column(right) && is_constant(left)) {
                    return None;
                }
                let turned = pg_sys::get_commutator(clause.opno);
                (turned != pg_sys::InvalidOid && fits(turned, clause.inputcollid))
                    .then(|| pg_sys::commute_restrictinfo(info, turned))
            }
            pg_sys::NodeTag::T_ScalarArrayOpExpr => {
                let clause = &*clause.cast::<pg_sys::ScalarArrayOpExpr>();
                let mut operands = list_elements::<pg_sys::Node>(clause.args);
                let (left, right) = (operands.next()?, operands.next()?);
                let is_any = clause.useOr && is_column(left) && is_constant(right);
                (is_any && fits(clause.opno, clause.inputcollid)).then_some(info)
            }
            pg_sys::NodeTag::T_NullTest => {
                let test = &*clause.cast::<pg_sys::NullTest>();
                (!test.argisrow && is_column(test.arg.cast())).then_some(info)
            }
            _ => None,
        }
    }
}

/// A path's conditions on keys, with the number of the column that each is on.
///
/// # Safety
/// The planner's list of IndexClause.
pub(super) unsafe fn conditions(clauses: *const pg_sys::List, vector: i32) -> Vec<(*mut pg_sys::Node, u32)> {
    // SAFETY: the caller's.
    unsafe {
        list_elements::<pg_sys::IndexClause>(clauses)
            .filter(|&clause| i32::from((*clause).indexcol) != vector)
            .flat_map(|clause| {
                let column = u32::try_from((*clause).indexcol).unwrap_or_default();
                list_elements::<pg_sys::RestrictInfo>((*clause).indexquals)
                    .map(move |info| ((*info).clause.cast::<pg_sys::Node>(), column))
            })
            .filter(|&(condition, _)| (*condition).type_ != pg_sys::NodeTag::T_RowCompareExpr)
            .collect()
    }
}

/// A condition as an index scan wants it: of the index's column in place of the table's.
///
/// # Safety
/// A condition that [`conditions`] has given, of an index's column.
pub(super) unsafe fn of_index_column(
    condition: *const pg_sys::Node,
    index: pg_sys::Oid,
    column: u32,
) -> *mut pg_sys::Node {
    // SAFETY: the caller's; copies are changed, whose first argument is the column.
    unsafe {
        let copy: *mut pg_sys::Node = pg_sys::copyObjectImpl(condition.cast()).cast();
        let number = pg_sys::AttrNumber::try_from(column + 1).unwrap_or(pg_sys::AttrNumber::MAX);
        let column_type = pg_sys::get_atttype(index, number);
        #[allow(clippy::unnecessary_cast)] // the parameter's type differs between versions
        let column = pg_sys::makeVar(pg_sys::INDEX_VAR as _, number, column_type, -1, pg_sys::InvalidOid, 0);
        match (*copy).type_ {
            pg_sys::NodeTag::T_NullTest => (*copy.cast::<pg_sys::NullTest>()).arg = column.cast(),
            pg_sys::NodeTag::T_ScalarArrayOpExpr => {
                (*(*(*copy.cast::<pg_sys::ScalarArrayOpExpr>()).args).elements).ptr_value = column.cast();
            }
            _ => (*(*(*copy.cast::<pg_sys::OpExpr>()).args).elements).ptr_value = column.cast(),
        }
        copy
    }
}
