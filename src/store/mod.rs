//! The document store's part that is not SQL: filters, and plans that are kept. The rest is in sql/store.

mod filter;
mod run;
mod search;
