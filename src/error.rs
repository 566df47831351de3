//! From errors of the core crate to PostgreSQL's: the only place that chooses SQLSTATEs.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, function_name};
use vera_vec_core::VectorError;

/// The SQLSTATE that goes with an error; pgvector's, because clients match on them.
pub(crate) fn sqlstate(error: &VectorError) -> PgSqlErrorCode {
    match error {
        VectorError::Syntax { .. } => PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
        VectorError::OutOfRange { .. } | VectorError::Overflow | VectorError::Underflow => {
            PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE
        }
        VectorError::NoDimensions { .. }
        | VectorError::NotANumber { .. }
        | VectorError::Infinite { .. }
        | VectorError::UnexpectedDimensions { .. }
        | VectorError::DifferentDimensions { .. }
        | VectorError::UnusedNotZero { .. } => PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
        VectorError::TooManyDimensions { .. } => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        VectorError::InvalidTypmod
        | VectorError::TypmodTooSmall { .. }
        | VectorError::TypmodTooLarge { .. } => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
    }
}

/// Ends the statement with an ERROR that has no DETAIL.
#[track_caller]
pub(crate) fn raise(sqlstate: PgSqlErrorCode, message: impl Into<String>) -> ! {
    report(ErrorReport::new(sqlstate, message.into(), function_name!()))
}

/// Ends the statement: unwinds to the function's entry point, where it becomes PostgreSQL's ERROR.
pub(crate) fn report(report: ErrorReport) -> ! {
    report.report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// For results whose error is the user's to know.
pub(crate) trait OrReport<T> {
    /// The value; or ends the statement with an ERROR.
    fn or_report(self) -> T;
}

impl<T> OrReport<T> for Result<T, VectorError> {
    #[track_caller]
    fn or_report(self) -> T {
        self.unwrap_or_else(|error| {
            let mut error_report = ErrorReport::new(sqlstate(&error), error.to_string(), function_name!());
            if let Some(detail) = error.detail() {
                error_report = error_report.set_detail(detail);
            }
            report(error_report)
        })
    }
}

/// Lets errors reach the client without a Rust backtrace.
///
/// pgrx carries errors through Rust as panics, and its panic hook notes a backtrace for each if the server was
/// started with RUST_BACKTRACE set; one that PostgreSQL itself raised below us would go out with that in its
/// DETAIL. So the hook is kept for panics in the proper sense, whose payload is a text.
pub(crate) fn keep_backtraces_from_users() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().is::<&str>() || panic.payload().is::<String>() {
            hook(panic);
        }
    }));
}
