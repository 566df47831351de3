//! Statements run by SPI, PostgreSQL's interface for functions that run SQL. Their plans are kept, as PL/pgSQL does with
//! those of statements that are written in a function.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int};

use pgrx::pg_sys::{Datum, Oid, ParamExternData, SPIPlanPtr};
use pgrx::{FromDatum, IntoDatum, PgSqlErrorCode, pg_sys};

use crate::error;

/// So many plans are kept by a session; of more, those that were used last.
const MAX_PLANS: usize = 64;

/// Plans of longer statements are not kept, in bytes: an ordinary search has some 500, one with thousands of conditions a plan of megabytes.
const MAX_KEPT: usize = 8 << 10;

/// A parameter's value may be used in planning: PARAM_FLAG_CONST, as the type of its field.
#[allow(clippy::cast_possible_truncation)] // it is 1
const CONST: pg_sys::uint16 = pg_sys::PARAM_FLAG_CONST as pg_sys::uint16;

/// When a statement is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planned {
    /// As PostgreSQL does with prepared statements: for the parameters' values, or once if that is no worse.
    Ahead,
    /// For the parameters' values each time; what is kept is what precedes planning.
    ForValues,
}

/// A parameter of a statement.
pub(super) fn parameter(value: Option<Datum>, kind: Oid) -> ParamExternData {
    ParamExternData {
        value: value.unwrap_or(Datum::null()),
        isnull: value.is_none(),
        pflags: CONST,
        ptype: kind,
    }
}

/// A parameter made of a value of Rust's.
pub(super) fn parameter_of<T: IntoDatum>(value: Option<T>) -> ParamExternData {
    parameter(value.and_then(IntoDatum::into_datum), T::type_oid())
}

/// A statement's plan, saved in memory of its own.
struct Plan {
    statement: String,
    planned: Planned,
    plan: SPIPlanPtr,
}

thread_local! {
    /// The plans that are not in use now, those that were used last at the end.
    static PLANS: RefCell<Vec<Plan>> = const { RefCell::new(Vec::new()) };
}

/// A plan that is out of the store while it runs, so that what it calls can neither free it nor run it.
struct InUse(Option<Plan>);

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(plan) = self.0.take() {
            PLANS.with_borrow_mut(|plans| plans.push(plan));
        }
    }
}

/// A connection to SPI: statements can be run while there is one.
///
/// What an error leaves open is closed by the end of the transaction.
pub(super) struct Connection(());

impl Connection {
    pub(super) fn open() -> Self {
        // SAFETY: a function may connect, and disconnect before it returns.
        if unsafe { pg_sys::SPI_connect() } != pg_sys::SPI_OK_CONNECT.cast_signed() {
            error::raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, "could not connect to SPI");
        }
        Self(())
    }

    pub(super) fn close(self) {
        // SAFETY: opened by `open`.
        unsafe { pg_sys::SPI_finish() };
    }

    /// Runs a statement that gives rows.
    ///
    /// They go to the receiver; if that is null, the first one can be asked for with [`Self::text`] and [`Self::value`] until
    /// the next statement. With `is_query` it only reads, and sees what the calling statement sees.
    pub(super) fn run(
        &self,
        statement: String,
        is_query: bool,
        planned: Planned,
        parameters: &[ParamExternData],
        receiver: *mut pg_sys::DestReceiver,
    ) {
        let count = c_int::try_from(parameters.len()).unwrap_or(c_int::MAX);
        // SAFETY: a list of so many parameters, which are all filled in.
        let list = unsafe {
            let list = pg_sys::makeParamList(count);
            (*list).params.as_mut_slice(parameters.len()).copy_from_slice(parameters);
            list
        };
        let options = pg_sys::SPIExecuteOptions {
            params: list,
            read_only: is_query,
            must_return_tuples: true,
            dest: receiver,
            ..Default::default()
        };
        let (_in_use, plan) = plan(statement, planned, parameters);
        // SAFETY: a plan that nobody frees while it is in use, and parameters of the types that it was made for.
        let status = unsafe { pg_sys::SPI_execute_plan_extended(plan, &raw const options) };
        if status < 0 {
            error::raise(
                PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
                format!("could not run a statement: SPI's status is {status}"),
            );
        }
    }

    /// Column `number`, from 1, of the first row of the last statement, as text; None if there is no row, or it is NULL.
    pub(super) fn text(&self, number: c_int) -> Option<CString> {
        let (tuple, descriptor) = Self::first_row()?;
        // SAFETY: a row with its descriptor. The text is copied.
        unsafe {
            let text = pg_sys::SPI_getvalue(tuple, descriptor, number);
            (!text.is_null()).then(|| CStr::from_ptr(text).to_owned())
        }
    }

    /// Column `number`, from 1, of the first row of the last statement; None if there is no row, or it is NULL.
    pub(super) fn value<T: FromDatum>(&self, number: c_int) -> Option<T> {
        let (tuple, descriptor) = Self::first_row()?;
        let mut is_null = false;
        // SAFETY: a row with its descriptor, and a column of T's type.
        unsafe {
            let datum = pg_sys::SPI_getbinval(tuple, descriptor, number, &raw mut is_null);
            T::from_datum(datum, is_null)
        }
    }

    fn first_row() -> Option<(pg_sys::HeapTuple, pg_sys::TupleDesc)> {
        // SAFETY: what SPI says of the statement that it ran.
        unsafe {
            let table = pg_sys::SPI_tuptable;
            (!table.is_null() && pg_sys::SPI_processed > 0).then(|| (*(*table).vals, (*table).tupdesc))
        }
    }
}

/// The kept plan of a statement, or a new one, and what returns it to the store. Needs a connection to SPI.
fn plan(statement: String, planned: Planned, parameters: &[ParamExternData]) -> (InUse, SPIPlanPtr) {
    let kept = PLANS.with_borrow_mut(|plans| {
        let is_it = |plan: &Plan| plan.planned == planned && plan.statement == statement;
        plans.iter().position(is_it).map(|position| plans.remove(position))
    });
    if let Some(kept) = kept {
        let plan = kept.plan;
        return (InUse(Some(kept)), plan);
    }
    let text = CString::new(statement.as_str()).unwrap_or_default(); // SQL has no zeros
    let mut types: Vec<Oid> = parameters.iter().map(|parameter| parameter.ptype).collect();
    let count = c_int::try_from(types.len()).unwrap_or(c_int::MAX);
    let options = match planned {
        Planned::Ahead => 0,
        Planned::ForValues => pg_sys::CURSOR_OPT_CUSTOM_PLAN.cast_signed(),
    };
    // SAFETY: the text and the types are read during the call only.
    let plan = unsafe { pg_sys::SPI_prepare_cursor(text.as_ptr(), count, types.as_mut_ptr(), options) };
    if plan.is_null() {
        error::raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, "could not prepare a statement");
    }
    if statement.len() > MAX_KEPT {
        return (InUse(None), plan); // SPI frees it with the connection
    }
    let oldest = PLANS.with_borrow_mut(|plans| (plans.len() >= MAX_PLANS).then(|| plans.remove(0)));
    // SAFETY: plans that SPI has made: one that nobody uses goes, one that is new is to outlive the connection.
    unsafe {
        if let Some(oldest) = oldest {
            pg_sys::SPI_freeplan(oldest.plan);
        }
        pg_sys::SPI_keepplan(plan);
    }
    (InUse(Some(Plan { statement, planned, plan })), plan)
}
