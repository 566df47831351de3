//! The document store's part that is not SQL: filters, plans that are kept, and a count. The rest is in sql/store.

mod count;
mod filter;
mod run;
mod search;
