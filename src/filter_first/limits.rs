//! Conditions that limit the distance by which rows are ordered: a radius, a ring.

use pgrx::pg_sys;
use vera_vec_core::ranking::Place;
use vera_vec_core::within::Limits;

use crate::postgres::list_elements;

/// Comparisons of float8 numbers, by pg_operator's OIDs.
mod float8 {
    pub(super) const LESS: u32 = 672;
    pub(super) const LESS_OR_EQUAL: u32 = 673;
    pub(super) const GREATER: u32 = 674;
    pub(super) const GREATER_OR_EQUAL: u32 = 675;
}

/// How a distance is limited by a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// `distance < value`
    Below,
    /// `distance <= value`
    NotAbove,
    /// `distance >= value`
    NotBelow,
    /// `distance > value`
    Above,
}

impl Side {
    const ALL: [Self; 4] = [Self::Below, Self::NotAbove, Self::NotBelow, Self::Above];

    /// The side as a number, for a plan.
    pub(super) fn number(self) -> u32 {
        self as u32
    }

    /// The side with a number.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.number() == number)
    }

    fn of_operator(operator: pg_sys::Oid) -> Option<Self> {
        match operator.to_u32() {
            float8::LESS => Some(Self::Below),
            float8::LESS_OR_EQUAL => Some(Self::NotAbove),
            float8::GREATER_OR_EQUAL => Some(Self::NotBelow),
            float8::GREATER => Some(Self::Above),
            _ => None,
        }
    }

    /// With the operands exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Below => Self::Above,
            Self::NotAbove => Self::NotBelow,
            Self::NotBelow => Self::NotAbove,
            Self::Above => Self::Below,
        }
    }

    /// Narrows limits; None is NULL, with which nothing compares.
    pub(super) fn narrow(self, limits: &mut Limits, value: Option<f64>) {
        let place = Place::of(value);
        match self {
            _ if value.is_none() => limits.end = Place::FIRST,
            Self::Below => limits.end = limits.end.min(place),
            Self::NotAbove => limits.end = limits.end.min(place.successor()),
            Self::NotBelow => limits.start = limits.start.max(place),
            Self::Above => limits.start = limits.start.max(place.successor()),
        }
    }
}

/// A condition that limits a distance.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) condition: *mut pg_sys::Node,
    pub(super) side: Side,
    /// What the distance is compared with.
    pub(super) value: *mut pg_sys::Node,
}

/// The distance that a condition limits, if it is such a condition.
///
/// # Safety
/// A condition of the planner's.
pub(super) unsafe fn limited_distance(condition: *mut pg_sys::Node) -> Option<(*mut pg_sys::Node, Limit)> {
    // SAFETY: the caller's; operators of two arguments have two.
    unsafe {
        if (*condition).type_ != pg_sys::NodeTag::T_OpExpr {
            return None;
        }
        let comparison = &*condition.cast::<pg_sys::OpExpr>();
        let side = Side::of_operator(comparison.opno)?;
        let mut operands = list_elements::<pg_sys::Node>(comparison.args);
        let (left, right) = (operands.next()?, operands.next()?);
        let is_constant = |node| !pg_sys::contain_var_clause(node);
        match (is_constant(left), is_constant(right)) {
            (false, true) => Some((left, Limit { condition, side, value: right })),
            (true, false) => Some((right, Limit { condition, side: side.turned(), value: left })),
            _ => None,
        }
    }
}

/// A relation's conditions that limit a distance.
///
/// # Safety
/// The planner's relation, and an expression over it.
pub(super) unsafe fn limits_of(rel: *const pg_sys::RelOptInfo, distance: *const pg_sys::Node) -> Vec<Limit> {
    // SAFETY: the caller's.
    unsafe {
        list_elements::<pg_sys::RestrictInfo>((*rel).baserestrictinfo)
            .filter_map(|info| limited_distance((*info).clause.cast()))
            .filter(|&(limited, _)| pg_sys::equal(limited.cast(), distance.cast()))
            .map(|(_, limit)| limit)
            .collect()
    }
}
