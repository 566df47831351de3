//! The columns of an index: one vector, and keys.

use pgrx::datum::FromDatum;
use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};
use vera_vec_core::keys::{self, Comparison, Key, KeyConditions, KeySet};

use crate::error;

/// Support functions of an operator class of keys, of which it has one.
pub(super) mod support {
    /// `veraflat_key(type) → bigint`, which keeps the order.
    pub(in crate::am) const KEY: u16 = 1;
    /// `hash(type, bigint) → bigint`, as a hash operator class has.
    pub(in crate::am) const HASH: u16 = 2;
    pub(in crate::am) const COUNT: u16 = 2;
}

/// Which column is what.
pub(crate) struct Columns {
    relation: pg_sys::Relation,
    /// The vector's number, from 0.
    pub(crate) vector: usize,
    keys: Vec<KeyColumn>,
}

struct KeyColumn {
    /// From 0
    number: usize,
    key: KeyFunction,
}

/// Makes keys of values.
#[derive(Clone, Copy)]
struct KeyFunction {
    function: *mut pg_sys::FmgrInfo,
    is_hash: bool,
    collation: pg_sys::Oid,
}

impl KeyFunction {
    /// # Safety
    /// On the main thread; the value is of the function's type.
    unsafe fn of(self, value: pg_sys::Datum) -> Key {
        // SAFETY: the caller's; functions are strict, and return bigint, which amvalidate checks.
        unsafe {
            if self.is_hash {
                let seed = pg_sys::Datum::from(0_i64);
                let hash = pg_sys::FunctionCall2Coll(self.function, self.collation, value, seed);
                keys::of_hash(hash.value() as u64)
            } else {
                let number = pg_sys::FunctionCall1Coll(self.function, self.collation, value);
                keys::of_i64((number.value() as u64).cast_signed())
            }
        }
    }
}

impl Columns {
    /// Ends the statement if there is not one vector.
    ///
    /// # Safety
    /// `relation` is an open index of this access method, as long as the result is used.
    pub(crate) unsafe fn of(relation: pg_sys::Relation) -> Self {
        let mut vectors = Vec::new();
        let mut keys = Vec::new();
        // SAFETY: the caller's; an index has a collation for each of its columns.
        unsafe {
            let count = usize::try_from((*(*relation).rd_att).natts).unwrap_or(0);
            for number in 0..count {
                match key_function(relation, number) {
                    Some(key) => keys.push(KeyColumn { number, key }),
                    None => vectors.push(number),
                }
            }
        }
        let [vector] = vectors[..] else {
            error::raise(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                format!("access method \"veraflat\" indexes one vector column, not {}", vectors.len()),
            );
        };
        Self { relation, vector, keys }
    }

    /// How many key columns there are.
    pub(super) fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// The keys of a row.
    ///
    /// # Safety
    /// Values of all columns, and whether they are NULL.
    pub(super) unsafe fn keys(
        &self,
        values: *const pg_sys::Datum,
        is_null: *const bool,
    ) -> impl Iterator<Item = Key> {
        // SAFETY: the caller's.
        self.keys.iter().map(move |column| unsafe {
            if *is_null.add(column.number) { keys::NULL } else { column.key.of(*values.add(column.number)) }
        })
    }

    /// What the conditions of a scan say of keys: nothing, if it is the vector that is to be NULL, or not to be.
    ///
    /// # Safety
    /// Conditions of a scan of this index.
    pub(crate) unsafe fn conditions(&self, scan_keys: &[pg_sys::ScanKeyData]) -> KeyConditions {
        let mut conditions = KeyConditions::default();
        for scan_key in scan_keys {
            let number = usize::try_from(scan_key.sk_attno).unwrap_or(0).wrapping_sub(1);
            if let Some((column, key)) = self.keys.iter().enumerate().find(|(_, key)| key.number == number) {
                // SAFETY: the caller's.
                conditions.add(column, unsafe { self.key_set(key, scan_key) });
            }
        }
        conditions
    }

    /// # Safety
    /// A condition on the column.
    unsafe fn key_set(&self, column: &KeyColumn, scan_key: &pg_sys::ScanKeyData) -> KeySet {
        let has = |flag: u32| scan_key.sk_flags & flag.cast_signed() != 0;
        if has(pg_sys::SK_SEARCHNULL) {
            return KeySet::null();
        }
        if has(pg_sys::SK_SEARCHNOTNULL) {
            return KeySet::not_null();
        }
        if has(pg_sys::SK_ISNULL) {
            // Operators that compare are strict.
            return KeySet::none();
        }
        let Some(comparison) = Comparison::from_number(scan_key.sk_strategy) else {
            error::raise(
                PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
                format!("unknown strategy {} of a key column", scan_key.sk_strategy),
            )
        };
        // SAFETY: the caller's; the argument is of the operator's right type, or an array of it.
        unsafe {
            let key = self.argument_key(column, scan_key.sk_subtype);
            if has(pg_sys::SK_SEARCHARRAY) {
                let values = elements(scan_key.sk_argument);
                KeySet::any(values.into_iter().map(|value| KeySet::of(comparison, key.of(value))))
            } else {
                KeySet::of(comparison, key.of(scan_key.sk_argument))
            }
        }
    }

    /// Makes keys, on a column's scale, of values of another type.
    ///
    /// # Safety
    /// The type is 0, or the right one of an operator of the column's family.
    unsafe fn argument_key(&self, column: &KeyColumn, subtype: pg_sys::Oid) -> KeyFunction {
        // SAFETY: an index has the family and type of each column. A copy of the function's description lives as long as
        // the memory context of the scan.
        unsafe {
            let input = *(*self.relation).rd_opcintype.add(column.number);
            if subtype == pg_sys::InvalidOid || subtype == input || column.key.is_hash {
                return column.key;
            }
            let family = *(*self.relation).rd_opfamily.add(column.number);
            let procedure = pg_sys::get_opfamily_proc(family, input, subtype, support::KEY.cast_signed());
            if procedure == pg_sys::InvalidOid {
                error::raise(
                    PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
                    format!("no support function {} for types {input} and {subtype}", support::KEY),
                );
            }
            let function = pg_sys::palloc0(size_of::<pg_sys::FmgrInfo>()).cast();
            pg_sys::fmgr_info(procedure, function);
            KeyFunction { function, ..column.key }
        }
    }
}

/// The function that makes a column's keys; None if it is a vector.
///
/// # Safety
/// An open index, and the number of one of its columns.
unsafe fn key_function(relation: pg_sys::Relation, number: usize) -> Option<KeyFunction> {
    // SAFETY: the caller's. PostgreSQL keeps the function's description with the relation.
    unsafe {
        let attribute = pg_sys::AttrNumber::try_from(number + 1).unwrap_or(pg_sys::AttrNumber::MAX);
        let found = [support::KEY, support::HASH]
            .into_iter()
            .find(|&support| pg_sys::index_getprocid(relation, attribute, support) != pg_sys::InvalidOid)?;
        Some(KeyFunction {
            function: pg_sys::index_getprocinfo(relation, attribute, found),
            is_hash: found == support::HASH,
            collation: *(*relation).rd_indcollation.add(number),
        })
    }
}

/// The elements of an array that are not NULL: equality with NULL never holds.
///
/// # Safety
/// An array, possibly compressed or out of line.
unsafe fn elements(array: pg_sys::Datum) -> Vec<pg_sys::Datum> {
    // SAFETY: the caller's; what is returned lies in the array, or in a copy of it in the caller's memory context.
    unsafe {
        let array = pg_sys::pg_detoast_datum(array.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let (mut length, mut by_value, mut align) = (0, false, 0);
        pg_sys::get_typlenbyvalalign((*array).elemtype, &mut length, &mut by_value, &mut align);
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        pg_sys::deconstruct_array(
            array,
            (*array).elemtype,
            i32::from(length),
            by_value,
            align,
            &mut values,
            &mut nulls,
            &mut count,
        );
        (0..usize::try_from(count).unwrap_or(0))
            .filter(|&number| !*nulls.add(number))
            .map(|number| *values.add(number))
            .collect()
    }
}

/// A key as a bigint of the same place in its order.
fn ordered(key: Key) -> i64 {
    (key ^ 1 << 63).cast_signed()
}

/// Key functions, one for each type: bigints in the order of its values.
mod functions {
    use pgrx::prelude::*;

    use super::{keys, ordered};

    #[pg_extern(sql = false)]
    fn veraflat_key_bool(value: bool) -> i64 {
        i64::from(value)
    }

    #[pg_extern(sql = false)]
    fn veraflat_key_int2(value: i16) -> i64 {
        i64::from(value)
    }

    #[pg_extern(sql = false)]
    fn veraflat_key_int4(value: i32) -> i64 {
        i64::from(value)
    }

    /// Of timestamps too: microseconds since 2000, in UTC or whatever they mean.
    #[pg_extern(sql = false)]
    fn veraflat_key_int8(value: i64) -> i64 {
        value
    }

    #[pg_extern(sql = false)]
    fn veraflat_key_float4(value: f32) -> i64 {
        ordered(keys::of_f64(f64::from(value)))
    }

    #[pg_extern(sql = false)]
    fn veraflat_key_float8(value: f64) -> i64 {
        ordered(keys::of_f64(value))
    }
}

/// `veraflat_key(numeric)`: that of the nearest float8, infinite beyond its range.
#[pg_guard]
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn veraflat_key_numeric(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: PostgreSQL calls it as declared, with one numeric that is not NULL; its function gives a float8.
    unsafe {
        let number = pg_sys::numeric_float8_no_overflow(fcinfo);
        pg_sys::Datum::from(ordered(keys::of_f64(f64::from_bits(number.value() as u64))))
    }
}

/// `veraflat_key(date)`: on the scale of timestamps, whose range is smaller.
#[pg_guard]
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn veraflat_key_date(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;
    // SAFETY: PostgreSQL calls it as declared, with one date that is not NULL: an int4, days since 2000.
    let days = unsafe { i32::from_datum((*(*fcinfo).args.as_ptr()).value, false) }.unwrap_or(0);
    pg_sys::Datum::from(i64::from(days).saturating_mul(MICROSECONDS_PER_DAY))
}

/// `veraflat_key(uuid)`: its first eight bytes.
#[pg_guard]
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn veraflat_key_uuid(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: PostgreSQL calls it as declared, with one uuid that is not NULL: a pointer to sixteen bytes.
    let bytes = unsafe { *(*(*fcinfo).args.as_ptr()).value.cast_mut_ptr::<[u8; 8]>() };
    pg_sys::Datum::from(ordered(keys::of_bytes(bytes)))
}

/// What PostgreSQL asks of a function before it calls it: the version of the calling convention.
macro_rules! declare {
    ($($info:ident),*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $info() -> &'static pg_sys::Pg_finfo_record {
                &pg_sys::Pg_finfo_record { api_version: 1 }
            }
        )*
    };
}

declare!(pg_finfo_veraflat_key_numeric, pg_finfo_veraflat_key_date, pg_finfo_veraflat_key_uuid);
