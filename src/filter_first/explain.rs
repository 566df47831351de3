//! What EXPLAIN says of the node.

use std::ffi::CString;
use std::ptr::null_mut;

use pgrx::{pg_guard, pg_sys};

use super::node::State;
use super::private::Private;

/// Says which index is used, with which of its keys and for which order; and with ANALYZE how many rows were found by the bitmap,
/// refined by their codes, decided by them, and fetched.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn explain(
    node: *mut pg_sys::CustomScanState,
    ancestors: *mut pg_sys::List,
    es: *mut pg_sys::ExplainState,
) {
    // SAFETY: PostgreSQL gives a state that `begin` has prepared, with its plan; strings live as long as they are used.
    unsafe {
        let plan = (*node).ss.ps.plan.cast::<pg_sys::CustomScan>();
        let private = Private::read(&*plan);
        let index = pg_sys::get_rel_name(private.index);
        if !index.is_null() {
            pg_sys::ExplainPropertyText(c"Index".as_ptr(), index, es);
        }
        let context = pg_sys::set_deparse_context_plan((*es).deparse_cxt, plan.cast(), ancestors);
        let has_prefix = (*es).verbose || (*(*es).rtable).length > 1;
        let deparse = |node: *mut pg_sys::Node| {
            let text = pg_sys::deparse_expression(node, context, has_prefix, false);
            std::ffi::CStr::from_ptr(text).to_string_lossy().into_owned()
        };
        let say = |label: &std::ffi::CStr, text: String| {
            if let Ok(text) = CString::new(text) {
                pg_sys::ExplainPropertyText(label.as_ptr(), text.as_ptr(), es);
            }
        };
        if !private.keys.is_empty() {
            let keys = private.keys.iter();
            let list = keys.fold(null_mut(), |list, &(key, _)| pg_sys::lappend(list, key.cast()));
            say(c"Index Cond", deparse(pg_sys::make_ands_explicit(list).cast()));
        }
        if private.is_ordered {
            let orders: Vec<String> = private.orders.iter().map(|&order| deparse(order)).collect();
            say(c"Order By", orders.join(", "));
        }
        if let Some(own) = (*node.cast::<State>()).scan.as_ref()
            && (*es).analyze
        {
            let is_text = (*es).format == pg_sys::ExplainFormat::EXPLAIN_FORMAT_TEXT;
            let has_bitmap = !(*node).ss.ps.lefttree.is_null();
            let counts = &own.counts;
            let lines = [
                (c"Rows from Bitmap", counts.found, has_bitmap),
                (
                    c"Lossy Heap Blocks from Bitmap",
                    counts.found_blocks,
                    counts.found_blocks > 0 || !is_text && has_bitmap,
                ),
                (c"Rows Refined", counts.bounded.refined, true),
                (c"Rows Decided by Bounds", counts.decided, private.asks_limits_only && !private.is_ordered),
                (c"Rows Fetched", counts.fetched, true),
            ];
            for (label, count, _) in lines.into_iter().filter(|&(.., is_shown)| is_shown) {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                pg_sys::ExplainPropertyInteger(label.as_ptr(), std::ptr::null(), count, es);
            }
        }
    }
}
