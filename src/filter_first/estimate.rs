//! What share of a table is within limits of a distance, for the planner: by the bounds of some rows.

use pgrx::pg_sys;
use vera_vec_core::codes::{Encoder, Query};
use vera_vec_core::within::Limits;

use super::limits::Limit;
use crate::am::source;
use crate::am::{metric_of, value};
use crate::operators;
use crate::postgres::list_elements;
use crate::storage::Index;

/// The share of an index's rows whose lower bound is within limits: of a radius somewhat more than there are, because bounds are
/// lower than distances. None if the query or a limit is not known yet; or if there are rows that the user may not see, because costs,
/// which everybody can ask for, would tell of them.
///
/// # Safety
/// The planner's, a path with an order by a distance, and what limits that distance.
pub(super) unsafe fn share_within(
    root: *mut pg_sys::PlannerInfo,
    path: *const pg_sys::IndexPath,
    limits: &[Limit],
) -> Option<f64> {
    // SAFETY: the caller's; an operator that orders has two arguments, the second of the vector's type. The planner has locked
    // the table's indexes.
    unsafe {
        if (*root).qual_security_level > 0 {
            return None;
        }
        let distance = &*list_elements::<pg_sys::OpExpr>((*path).indexorderbys).next()?;
        let vector = constant(root, list_elements::<pg_sys::Node>(distance.args).nth(1)?)?;
        let mut wanted = Limits::NONE;
        for limit in limits {
            let value = constant(root, limit.value)?;
            limit.side.narrow(&mut wanted, Some(f64::from_bits(value.value() as u64)));
        }
        let column = usize::try_from(*list_column((*path).indexorderbycols)?).ok()?;
        let info = (*path).indexinfo;
        let relation = pg_sys::index_open((*info).indexoid, pg_sys::NoLock.cast_signed());
        let (mut strategy, mut left, mut right) = (0, pg_sys::InvalidOid, pg_sys::InvalidOid);
        let family = *(*relation).rd_opfamily.add(column);
        pg_sys::get_op_opfamily_properties(distance.opno, family, true, &mut strategy, &mut left, &mut right);
        let metric = u16::try_from(strategy).ok().and_then(metric_of);
        let share = metric.map(|metric| {
            let index = Index::new(relation);
            let meta = index.meta();
            let encoder = Encoder::new(meta.layout.kind, index.center(&meta));
            let error = operators::error_of(pg_sys::get_opcode(distance.opno), meta.layout.dimensions);
            let mut query = Query::new(metric, &encoder, value::vector(vector, false).as_deref(), error);
            source::share_within(index, &meta, &mut query, wanted)
        });
        pg_sys::index_close(relation, pg_sys::NoLock.cast_signed());
        share
    }
}

/// # Safety
/// A list of numbers, or null.
unsafe fn list_column<'a>(list: *const pg_sys::List) -> Option<&'a i32> {
    // SAFETY: the caller's; a list that is not null has an element.
    unsafe { list.as_ref().map(|list| &(*list.elements).int_value) }
}

/// What an expression is, as far as can be said before the query runs; None if it cannot, or it is NULL.
///
/// # Safety
/// The planner's.
unsafe fn constant(root: *mut pg_sys::PlannerInfo, node: *mut pg_sys::Node) -> Option<pg_sys::Datum> {
    // SAFETY: the caller's; a node says of what type it is.
    unsafe {
        let value = pg_sys::estimate_expression_value(root, node);
        if (*value).type_ != pg_sys::NodeTag::T_Const {
            return None;
        }
        let value = &*value.cast::<pg_sys::Const>();
        (!value.constisnull).then_some(value.constvalue)
    }
}
