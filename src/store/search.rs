//! `vera.search`: from its arguments to one statement, and that to rows.
//!
//! Other functions of the store are PL/pgSQL; this one is called too often for what that takes.

use pgrx::pg_sys::{FunctionCallInfo, NullableDatum, Oid};
use pgrx::prelude::*;
use pgrx::{FromDatum, PgSqlErrorCode, direct_function_call, pg_sys};

use super::filter::store_condition;
use super::run::{Connection, Planned, parameter, parameter_of};
use crate::types::Veravec;
use crate::{error, postgres};

/// What a search has to know of its collection.
const COLLECTION: &str = "SELECT c.dimension, c.relation, c.key_fields, vera._operator(c.metric), vera._score(c.metric, 'distance'), \
     vera._max_distance(c.metric, $2, $3) FROM vera.collections c WHERE c.name = $1 AND vera._exists(c.relation)";

/// Raises an error if there is no such collection, or it cannot be searched so.
const CHECK: &str = "SELECT vera._check_search(vera._collection($1), $2, $3, $4)";

/// What is asked of a collection.
///
/// `$1` is the query, `$2` the filters' values, `$3` the greatest distance, `$4` the least score. It is the statement that
/// one would write by hand. LIMIT and OFFSET are in it as numbers, because a plan that is made ahead would otherwise be
/// one for a tenth of the rows. Scores fall as distances grow, so that what has too low a score is at the end.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // of an SQL function
fn store_search_sql(
    relation: &str,
    operator: &str,
    score: &str,
    condition: &str,
    k: i64,
    skip: i64,
    has_maximum: bool,
    has_least: bool,
) -> String {
    let within = if has_maximum { format!(" AND embedding {operator} $1 <= $3") } else { String::new() };
    let scored = if has_least { format!(" WHERE {score} >= $4") } else { String::new() };
    format!(
        "SELECT id, content, metadata, created_at, distance, {score} AS score \
         FROM (SELECT id, content, metadata, created_at, embedding {operator} $1 AS distance FROM {relation} \
         WHERE embedding IS NOT NULL AND {condition}{within} ORDER BY embedding {operator} $1 \
         LIMIT {k} OFFSET {skip}) s{scored}"
    )
}

#[pg_extern(sql = false)]
fn store_search(fcinfo: FunctionCallInfo) {
    search(fcinfo, |_| "");
}

/// As `store_search`, with an argument more: whether the search is run to be explained.
#[pg_extern(sql = false)]
fn store_explain_search(fcinfo: FunctionCallInfo) {
    search(fcinfo, |more| match more {
        [analyze] if !analyze.isnull && analyze.value.value() != 0 => {
            "EXPLAIN (COSTS OFF, TIMING OFF, SUMMARY OFF, ANALYZE) "
        }
        _ => "EXPLAIN (COSTS OFF) ",
    });
}

/// The rows of a search, or what a statement gives that begins with `prefix`, which is made of further arguments.
fn search(fcinfo: FunctionCallInfo, prefix: impl FnOnce(&[NullableDatum]) -> &'static str) {
    // SAFETY: the running call's; PostgreSQL has filled in as many arguments as it counts.
    let arguments = unsafe { (*fcinfo).args.as_slice(usize::from((*fcinfo).nargs.unsigned_abs())) };
    let [name, query, k, filter, where_document, max_distance, min_score, skip, more @ ..] = arguments else {
        error::raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, "too few arguments");
    };
    let given = |argument: &NullableDatum| (!argument.isnull).then_some(argument.value);
    // SAFETY: the types that sql/store/search.sql declares, here and below.
    let (dimension, most, least, k_given, skip_given) = unsafe {
        (
            Veravec::from_datum(query.value, query.isnull).and_then(|query| i32::try_from(query.len()).ok()),
            f64::from_datum(max_distance.value, max_distance.isnull),
            f64::from_datum(min_score.value, min_score.isnull),
            i32::from_datum(k.value, k.isnull).map(i64::from),
            i64::from_datum(skip.value, skip.isnull),
        )
    };
    // Nothing compares with NaN as one would expect.
    for (limit, what) in [(most, "max_distance"), (least, "min_score")] {
        if limit.is_some_and(f64::is_nan) {
            error::raise(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, format!("{what} must not be NaN"));
        }
    }
    // SAFETY: raises an error if the caller takes no set; makes the tuplestore that rows go to.
    unsafe { pg_sys::InitMaterializedSRF(fcinfo, pg_sys::MAT_SRF_USE_EXPECTED_DESC) };

    let spi = Connection::open();
    let name = parameter(given(name), pg_sys::TEXTOID);
    spi.run(
        COLLECTION.to_owned(),
        true,
        Planned::Ahead,
        &[name, parameter_of(most), parameter_of(least)],
        std::ptr::null_mut(),
    );
    let statement = match (spi.value::<i32>(1), k_given, skip_given) {
        (found, Some(k), Some(skip)) if found.is_some() && found == dimension && k >= 1 && skip >= 0 => {
            let text = |number| spi.text(number).unwrap_or_default();
            let [relation, operator, score] =
                [2, 4, 5].map(|number| text(number).to_string_lossy().into_owned());
            let maximum: Option<f64> = spi.value(6);
            // SAFETY: arguments of type jsonb, which are text as long as there is a connection.
            let json =
                |argument| unsafe { direct_function_call(pg_sys::jsonb_out, &[Some(given(argument)?)]) };
            let mut condition = store_condition(json(filter), json(where_document), &text(3));
            let values = condition.split_off(1);
            let condition = condition.concat();
            let sql = store_search_sql(
                &relation,
                &operator,
                &score,
                &condition,
                k,
                skip,
                maximum.is_some(),
                least.is_some(),
            );
            Some((sql, values, maximum))
        }
        _ => None,
    };
    let Some((statement, values, maximum)) = statement else {
        let dimension = parameter_of(dimension);
        let given = [name, dimension, parameter_of(k_given), parameter_of(skip_given)];
        spi.run(CHECK.to_owned(), true, Planned::Ahead, &given, std::ptr::null_mut());
        error::raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, "a collection changed while it was searched");
    };

    // How many rows pass a filter, and so which plan is best, is known from its values only.
    let planned = if values.is_empty() && maximum.is_none() { Planned::Ahead } else { Planned::ForValues };
    // SAFETY: which this call's flinfo knows.
    let kind: Oid = unsafe { pg_sys::get_fn_expr_argtype((*fcinfo).flinfo, 1) };
    let parameters = [
        parameter(given(query), kind),
        parameter_of(Some(values)),
        parameter_of(maximum),
        parameter_of(least),
    ];
    // SAFETY: made by InitMaterializedSRF.
    let receiver = unsafe { postgres::receiver_of_result(fcinfo) };
    let prefix = prefix(more);
    spi.run(prefix.to_owned() + &statement, prefix.is_empty(), planned, &parameters, receiver.as_ptr());
    drop(receiver);
    spi.close();
}
