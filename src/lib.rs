//! vera_vec: exact vector search for PostgreSQL.
//!
//! This package is the part that knows PostgreSQL: datums, memory contexts, error reports, SQL. What can be
//! done on slices and integers is in `vera_vec_core`. ARCHITECTURE.md is the map.
//!
//! SQL objects are declared by hand in sql/, where they can be read as a whole, and refer to the functions
//! here by symbol: `fn f` marked `#[pg_extern(sql = false)]` is the symbol `f_wrapper`; some are written out as
//! `extern "C-unwind" fn`. A symbol that a
//! released script mentions is never removed, because an older SQL definition has to find it.

use pgrx::prelude::*;

mod am;
mod error;
mod filter_first;
mod maxsim;
mod operators;
mod planner;
mod postgres;
mod settings;
mod storage;
mod store;
mod types;

// Not pg_module_magic!(name, version), which in pgrx 0.18.1 makes the version the name.
pg_module_magic!(name = c"vera_vec", version = VERSION);

/// The version that PostgreSQL 18 shows in `pg_get_loaded_modules()`.
const VERSION: &std::ffi::CStr =
    match std::ffi::CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// Runs once in each backend, when PostgreSQL loads the library.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    error::keep_backtraces_from_users();
    settings::define();
    filter_first::install();
}

extension_sql_file!("../sql/type.sql", name = "type", bootstrap);
extension_sql_file!("../sql/functions.sql", name = "functions", requires = ["type"]);
extension_sql_file!("../sql/aggregates.sql", name = "aggregates", requires = ["functions"]);
extension_sql_file!("../sql/casts.sql", name = "casts", requires = ["functions"]);
extension_sql_file!("../sql/operators.sql", name = "operators", requires = ["functions"]);
extension_sql_file!("../sql/operator_classes.sql", name = "operator_classes", requires = ["operators"]);

extension_sql_file!("../sql/access_method.sql", name = "access_method", requires = ["operators"]);
extension_sql_file!("../sql/key_columns.sql", name = "key_columns", requires = ["access_method"]);
extension_sql_file!(
    "../sql/half.sql",
    name = "half",
    requires = ["casts", "operator_classes", "access_method"]
);

extension_sql_file!("../sql/store/collections.sql", name = "store_collections", requires = ["key_columns"]);
extension_sql_file!("../sql/store/documents.sql", name = "store_documents", requires = ["store_collections"]);
extension_sql_file!("../sql/store/search.sql", name = "store_search", requires = ["store_documents"]);
extension_sql_file!("../sql/store/rankings.sql", name = "store_rankings", requires = ["store_search"]);

/// The instruction set that the distance kernels use here: `avx512`, `avx2`, `neon` or `portable`.
#[pg_extern(sql = false)]
fn vera_vec_simd_level() -> &'static str {
    vera_vec_core::distance::Kernels::best().level().name()
}

#[cfg(any(test, feature = "pg_test"))]
mod tests;

/// What `cargo pgrx test` asks of an extension.
#[cfg(test)]
pub(crate) mod pg_test {
    pub(crate) fn setup(_options: Vec<&str>) {}

    #[must_use]
    pub(crate) fn postgresql_conf_options() -> Vec<&'static str> {
        vec![]
    }
}
