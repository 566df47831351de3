//! Filters at SQL's border: JSON comes as text, a condition goes as text with its parameters.
//!
//! Text comes as cstring, which is what jsonb_out gives.

use std::cell::RefCell;
use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::prelude::*;
use vera_vec_core::filter::sql::{KeyColumn, Parameters};
use vera_vec_core::filter::{DocumentFilter, Filter, FilterError, Path, Value};

use crate::error;

/// Text in UTF-8, which is what JSON is in. Another encoding of the database is an error.
fn utf8(text: &CStr) -> &str {
    // SAFETY: it has been known since the session began.
    let encoding = unsafe { pg_sys::GetDatabaseEncoding() };
    match text.to_str() {
        Ok(text) if encoding == pg_sys::pg_enc::PG_UTF8.cast_signed() => text,
        _ => error::raise(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "the document store needs a database whose encoding is UTF8",
        ),
    }
}

/// The value of JSON text that PostgreSQL's own jsonb has written; None if it is nested more than 127 deep.
fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// The value of a filter's text, which [`json`] may refuse.
fn filter_json(text: &str) -> Result<Value, FilterError> {
    json(text)
        .ok_or_else(|| FilterError { path: "$".to_owned(), reason: "it is nested too deeply".to_owned() })
}

fn or_report<T>(result: Result<T, FilterError>) -> T {
    result.unwrap_or_else(|error| {
        error::raise(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, error.to_string())
    })
}

/// The condition that the filters say of a collection's rows, and the elements of the array `$2` in it.
///
/// `keys` is the collection's `key_fields`; a missing filter lets all rows pass. The first element of the result is
/// the condition's text.
#[pg_extern(sql = false)]
pub(super) fn store_condition(
    filter: Option<&CStr>,
    where_document: Option<&CStr>,
    keys: &CStr,
) -> Vec<String> {
    let keys: Vec<KeyColumn> = serde_json::from_str(utf8(keys)).unwrap_or_else(|error| {
        error::raise(
            PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            format!("invalid key fields in the catalog: {error}"),
        )
    });
    let mut parameters = Parameters::new("$2");
    let mut conditions = Vec::new();
    if let Some(text) = filter {
        let filter = or_report(filter_json(utf8(text)).and_then(|json| Filter::parse(&json)));
        conditions.push(format!("({})", filter.sql("", &keys, &mut parameters)));
    }
    if let Some(text) = where_document {
        let filter = or_report(filter_json(utf8(text)).and_then(|json| DocumentFilter::parse(&json)));
        conditions.push(format!("({})", filter.sql("", &mut parameters)));
    }
    let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    std::iter::once(condition).chain(parameters.into_values()).collect()
}

/// The names on the way to a field: of `a.b`, a and b.
#[pg_extern(sql = false)]
fn store_path(field: &CStr) -> Vec<String> {
    or_report(Path::parse(utf8(field))).0
}

thread_local! {
    /// The last filter that was asked for, as text and parsed: a statement asks the same one of all its rows.
    static LAST: RefCell<Option<(String, Filter)>> = const { RefCell::new(None) };
}

/// Whether `metadata` passes `filter`.
#[pg_extern(sql = false)]
fn store_match(metadata: &CStr, filter: &CStr) -> bool {
    let (metadata, filter) = (utf8(metadata), utf8(filter));
    let metadata = json(metadata).unwrap_or_else(|| {
        error::raise(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, "metadata is nested too deeply")
    });
    LAST.with_borrow_mut(|last| {
        if last.as_ref().is_none_or(|(text, _)| text != filter) {
            let parsed = or_report(filter_json(filter).and_then(|json| Filter::parse(&json)));
            *last = Some((filter.to_owned(), parsed));
        }
        last.as_ref().is_some_and(|(_, parsed)| parsed.matches(&metadata))
    })
}
