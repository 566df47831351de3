//! Keys: eight bytes that stand for a value of a key column, and what conditions say of them.
//!
//! A column has one of two kinds of keys:
//! * *ordered*: a ≤ b implies key(a) ≤ key(b), and a = b the same key ([`of_i64`], [`of_f64`], [`of_bytes`])
//! * *hashed*: a = b implies the same key ([`of_hash`])
//!
//! Neither need tell different values apart. So a condition on a column becomes a necessary condition on its key, a
//! [`KeySet`], and whoever finds a row by it asks the row itself again.

use crate::page::Directory;

/// The key of a value.
pub type Key = u64;

/// The key of NULL, which no other value has.
pub const NULL: Key = Key::MAX;

/// The greatest key of a value.
const GREATEST: Key = NULL - 1;

/// An ordered key of a number.
pub fn of_i64(number: i64) -> Key {
    (number.cast_unsigned() ^ 1 << 63).min(GREATEST)
}

/// An ordered key of a number, in PostgreSQL's order: −0 is 0, NaN comes last.
pub fn of_f64(number: f64) -> Key {
    if number.is_nan() {
        return GREATEST;
    }
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// An ordered key of bytes that are compared one after the other.
pub fn of_bytes(bytes: [u8; 8]) -> Key {
    Key::from_be_bytes(bytes).min(GREATEST)
}

/// A key of a value's hash.
pub fn of_hash(hash: u64) -> Key {
    hash.min(GREATEST)
}

/// How a column is compared with a value; the numbers are the operators' strategies, as a btree's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less = 1,
    /// `<=`
    LessOrEqual = 2,
    /// `=`
    Equal = 3,
    /// `>=`
    GreaterOrEqual = 4,
    /// `>`
    Greater = 5,
}

impl Comparison {
    /// By its number.
    pub fn from_number(number: u16) -> Option<Self> {
        [Self::Less, Self::LessOrEqual, Self::Equal, Self::GreaterOrEqual, Self::Greater]
            .into_iter()
            .find(|&comparison| comparison as u16 == number)
    }
}

/// A set of keys, as ranges with both ends: ascending, and no two that overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet(Vec<(Key, Key)>);

impl KeySet {
    /// No key.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// NULL's.
    pub fn null() -> Self {
        Self(vec![(NULL, NULL)])
    }

    /// All but NULL's.
    pub fn not_null() -> Self {
        Self(vec![(0, GREATEST)])
    }

    /// The keys that values can have of which a comparison with some value holds, by that value's key.
    ///
    /// Different values may have one key, so that `<` is no stricter than `<=`.
    pub fn of(comparison: Comparison, key: Key) -> Self {
        match comparison {
            Comparison::Less | Comparison::LessOrEqual => Self(vec![(0, key)]),
            Comparison::Equal => Self(vec![(key, key)]),
            Comparison::GreaterOrEqual | Comparison::Greater => Self(vec![(key, GREATEST)]),
        }
    }

    /// The keys that are in any of some sets.
    pub fn any(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut ranges: Vec<(Key, Key)> = sets.into_iter().flat_map(|set| set.0).collect();
        ranges.sort_unstable();
        let mut union: Vec<(Key, Key)> = Vec::with_capacity(ranges.len());
        for (least, greatest) in ranges {
            match union.last_mut() {
                Some(last) if least <= last.1 => last.1 = last.1.max(greatest),
                _ => union.push((least, greatest)),
            }
        }
        Self(union)
    }

    /// The keys that are in both sets.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = Vec::new();
        while let (Some(&&(a, b)), Some(&&(c, d))) = (ours.peek(), theirs.peek()) {
            if a.max(c) <= b.min(d) {
                both.push((a.max(c), b.min(d)));
            }
            if b <= d {
                ours.next()
            } else {
                theirs.next()
            };
        }
        Self(both)
    }

    /// Whether there is no key in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key is in it.
    #[inline]
    pub fn has(&self, key: Key) -> bool {
        self.meets(key, key)
    }

    /// Whether any key of a range is in it.
    #[inline]
    pub fn meets(&self, least: Key, greatest: Key) -> bool {
        match self.0[..] {
            [(start, end)] => start <= greatest && least <= end,
            _ => {
                let next = self.0.partition_point(|&(_, end)| end < least);
                self.0.get(next).is_some_and(|&(start, _)| start <= greatest)
            }
        }
    }
}

/// What all conditions of a query together say of the keys of a row.
#[derive(Debug, Clone, Default)]
pub struct KeyConditions {
    columns: Vec<(usize, KeySet)>,
}

impl KeyConditions {
    /// Adds a condition on a column.
    pub fn add(&mut self, column: usize, set: KeySet) {
        match self.columns.iter_mut().find(|(other, _)| *other == column) {
            Some((_, before)) => *before = before.and(&set),
            None => self.columns.push((column, set)),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether no row can meet them.
    pub fn are_contradictory(&self) -> bool {
        self.columns.iter().any(|(_, set)| set.is_empty())
    }

    /// Whether rows with keys in some ranges, by column, may meet them.
    pub fn may_hold(&self, range: impl Fn(usize) -> (Key, Key)) -> bool {
        self.columns.iter().all(|&(column, ref set)| {
            let (least, greatest) = range(column);
            least <= greatest && set.meets(least, greatest)
        })
    }

    /// Takes rows that do not meet them out of a selection of a directory's slots, one for each.
    pub fn restrict(&self, directory: &Directory<'_>, selection: &mut [bool]) {
        for (column, set) in &self.columns {
            let keys = directory.keys(*column);
            if let [(start, end)] = set.0[..] {
                // One comparison, which the compiler makes many of at once.
                for (is_selected, &key) in selection.iter_mut().zip(keys) {
                    *is_selected &= key.wrapping_sub(start) <= end - start;
                }
            } else {
                for (is_selected, &key) in selection.iter_mut().zip(keys) {
                    *is_selected = *is_selected && set.has(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn comparisons() -> impl Strategy<Value = Comparison> {
        (1u16..6).prop_map(|number| Comparison::from_number(number).unwrap_or(Comparison::Equal))
    }

    fn holds<T: PartialOrd>(comparison: Comparison, a: &T, b: &T) -> bool {
        match comparison {
            Comparison::Less => a < b,
            Comparison::LessOrEqual => a <= b,
            Comparison::Equal => a == b,
            Comparison::GreaterOrEqual => a >= b,
            Comparison::Greater => a > b,
        }
    }

    fn keys() -> impl Strategy<Value = Key> {
        prop_oneof![0u64..20, Just(GREATEST), Just(NULL), any::<u64>()]
    }

    fn sets() -> impl Strategy<Value = KeySet> {
        let range = (keys(), keys()).prop_map(|(a, b)| KeySet(vec![(a.min(b), a.max(b))]));
        prop::collection::vec(range, 0..5).prop_map(KeySet::any)
    }

    proptest! {
        #[test]
        fn integers_keep_their_order(a in any::<i64>(), b in any::<i64>(), comparison in comparisons()) {
            prop_assert!(!holds(comparison, &a, &b) || KeySet::of(comparison, of_i64(b)).has(of_i64(a)));
            prop_assert!(of_i64(a) != NULL);
            // And are told apart, but for the greatest two.
            prop_assert_eq!(a.min(i64::MAX - 1).cmp(&b.min(i64::MAX - 1)), of_i64(a).cmp(&of_i64(b)));
        }

        #[test]
        fn floats_keep_their_order(a in any::<f64>(), b in any::<f64>(), comparison in comparisons()) {
            prop_assert!(!holds(comparison, &a, &b) || KeySet::of(comparison, of_f64(b)).has(of_f64(a)));
            prop_assert!(of_f64(a) != NULL && of_f64(a) <= of_f64(f64::NAN));
        }

        #[test]
        fn bytes_keep_their_order(a in any::<[u8; 8]>(), b in any::<[u8; 8]>(), comparison in comparisons()) {
            prop_assert!(!holds(comparison, &a, &b) || KeySet::of(comparison, of_bytes(b)).has(of_bytes(a)));
            prop_assert!(of_bytes(a) != NULL);
        }

        #[test]
        fn sets_are_sets(a in sets(), b in sets(), key in keys(), other in keys()) {
            let union = KeySet::any([a.clone(), b.clone()]);
            for key in [key, other] {
                prop_assert_eq!(a.and(&b).has(key), a.has(key) && b.has(key));
                prop_assert_eq!(union.has(key), a.has(key) || b.has(key));
            }
            let (least, greatest) = (key.min(other), key.max(other));
            let ends = a.0.iter().flat_map(|&(start, end)| [start, end]);
            let expected = a.has(least) || a.has(greatest) || ends.into_iter().any(|end| (least..=greatest).contains(&end));
            prop_assert_eq!(a.meets(least, greatest), expected);
            prop_assert_eq!(a.is_empty(), a == KeySet::none());
        }
    }

    #[test]
    fn extremes_have_their_places() {
        assert_eq!(of_f64(-0.0), of_f64(0.0));
        assert!(of_f64(f64::INFINITY) < of_f64(f64::NAN));
        assert!(of_f64(f64::NEG_INFINITY) < of_f64(f64::MIN));
        assert_eq!(of_i64(i64::MIN), 0);
        assert!(
            !KeySet::of(Comparison::Greater, 0).has(NULL)
                && !KeySet::of(Comparison::Less, GREATEST).has(NULL)
        );
        assert!(KeySet::null().has(NULL) && !KeySet::not_null().has(NULL));
        assert_eq!(of_hash(u64::MAX), GREATEST);
    }

    #[test]
    fn conditions_on_a_column_are_all_to_hold() {
        let mut conditions = KeyConditions::default();
        assert!(conditions.is_empty() && conditions.may_hold(|_| (Key::MAX, 0)));
        conditions.add(1, KeySet::of(Comparison::Greater, 5));
        assert!(!conditions.are_contradictory() && !conditions.may_hold(|_| (Key::MAX, 0)));
        conditions.add(1, KeySet::of(Comparison::Less, 9));
        let ranges = [(0, 4), (3, 5), (6, 7), (9, 20), (10, 20)];
        let may = ranges.map(|range| conditions.may_hold(|column| if column == 1 { range } else { (0, 0) }));
        assert_eq!(may, [false, true, true, true, false]);
        conditions.add(1, KeySet::of(Comparison::Equal, 2));
        assert!(conditions.are_contradictory());
    }
}
