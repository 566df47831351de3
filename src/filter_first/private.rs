//! What a plan says that is ours, in a form that PostgreSQL can copy, change and write down.

use std::ptr::null_mut;

use pgrx::pg_sys;

use super::limits::Side;
use crate::postgres::list_elements;

pub(super) struct Private {
    pub(super) index: pg_sys::Oid,
    /// Whether rows are wanted in the order of their distances.
    pub(super) is_ordered: bool,
    /// Whether the limits are all that is asked of rows: no other condition, and no column.
    pub(super) asks_limits_only: bool,
    /// The orders' distances; at least one.
    pub(super) orders: Vec<*mut pg_sys::Node>,
    /// Conditions on key columns, with the column's number in the index, from 0.
    pub(super) keys: Vec<(*mut pg_sys::Node, u32)>,
    /// What limits the first distance.
    pub(super) limits: Vec<(*mut pg_sys::Node, Side)>,
}

impl Private {
    /// Puts it into a plan, copied: expressions where PostgreSQL finds them, and the rest as a list of OIDs.
    ///
    /// # Safety
    /// Nodes of the planner's.
    pub(super) unsafe fn write(&self, scan: &mut pg_sys::CustomScan) {
        let count = |length: usize| u32::try_from(length).unwrap_or(0);
        let numbers = [
            self.index.to_u32(),
            u32::from(self.is_ordered),
            u32::from(self.asks_limits_only),
            count(self.orders.len()),
            count(self.keys.len()),
        ];
        let numbers = numbers
            .into_iter()
            .chain(self.keys.iter().map(|&(_, column)| column))
            .chain(self.limits.iter().map(|&(_, side)| side.number()));
        let expressions = self
            .orders
            .iter()
            .copied()
            .chain(self.keys.iter().map(|&(condition, _)| condition))
            .chain(self.limits.iter().map(|&(value, _)| value));
        // SAFETY: the caller's.
        unsafe {
            scan.custom_private =
                numbers.fold(null_mut(), |list, number| pg_sys::lappend_oid(list, pg_sys::Oid::from(number)));
            scan.custom_exprs = expressions.fold(null_mut(), |list, expression| {
                pg_sys::lappend(list, pg_sys::copyObjectImpl(expression.cast_const().cast()))
            });
        }
    }

    /// Reads it.
    ///
    /// # Safety
    /// A plan that `write` has made, through whatever PostgreSQL does with plans.
    pub(super) unsafe fn read(scan: &pg_sys::CustomScan) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let length = usize::try_from((*scan.custom_private).length).unwrap_or(0);
            let mut numbers =
                (0..length).map(|index| (*(*scan.custom_private).elements.add(index)).oid_value.to_u32());
            let mut number = || numbers.next().unwrap_or(0);
            let index = pg_sys::Oid::from(number());
            let (is_ordered, asks_limits_only) = (number() != 0, number() != 0);
            let (orders, keys) = (number() as usize, number() as usize);
            let mut expressions = list_elements::<pg_sys::Node>(scan.custom_exprs);
            let orders = expressions.by_ref().take(orders).collect();
            let keys = expressions.by_ref().take(keys).zip(numbers.by_ref()).collect();
            let sides = numbers.filter_map(Side::from_number);
            Self {
                index,
                is_ordered,
                asks_limits_only,
                orders,
                keys,
                limits: expressions.zip(sides).collect(),
            }
        }
    }
}
