//! PostgreSQL's TID bitmaps, whose functions differ between its versions.

use pgrx::pg_sys;
use vera_vec_core::tid_set::TidSet;

/// Reads a bitmap and frees it.
///
/// # Safety
/// `bitmap` is what a bitmap index scan, or a BitmapAnd or BitmapOr, has made; nobody else uses it.
pub(super) unsafe fn take(bitmap: *mut pg_sys::TIDBitmap) -> TidSet {
    let mut set = TidSet::new();
    // SAFETY: the caller's. Blocks come in ascending order, with offsets of rows that there can be in a page.
    unsafe {
        read(bitmap, &mut set);
        pg_sys::tbm_free(bitmap);
    }
    set
}

#[cfg(not(feature = "pg18"))]
unsafe fn read(bitmap: *mut pg_sys::TIDBitmap, set: &mut TidSet) {
    // SAFETY: the caller's; a page's result lives until the next one, with as many offsets as it says.
    unsafe {
        let iterator = pg_sys::tbm_begin_iterate(bitmap);
        while let Some(page) = pg_sys::tbm_iterate(iterator).as_ref() {
            match usize::try_from(page.ntuples) {
                Ok(count) => set.add_rows(page.blockno, page.offsets.as_slice(count)),
                Err(_) => set.add_block(page.blockno),
            }
        }
        pg_sys::tbm_end_iterate(iterator);
    }
}

#[cfg(feature = "pg18")]
unsafe fn read(bitmap: *mut pg_sys::TIDBitmap, set: &mut TidSet) {
    let mut offsets = [0; TidSet::MAX_OFFSET as usize];
    // SAFETY: the caller's; no more offsets are written than there is room for.
    unsafe {
        let iterator = pg_sys::tbm_begin_private_iterate(bitmap);
        let mut page = pg_sys::TBMIterateResult::default();
        while pg_sys::tbm_private_iterate(iterator, &mut page) {
            if page.lossy {
                set.add_block(page.blockno);
            } else {
                let count = pg_sys::tbm_extract_page_tuple(
                    &mut page,
                    offsets.as_mut_ptr(),
                    u32::from(TidSet::MAX_OFFSET),
                );
                // Never more than MaxHeapTuplesPerPage.
                let count = usize::try_from(count).unwrap_or(0).min(offsets.len());
                set.add_rows(page.blockno, &offsets[..count]);
            }
        }
        pg_sys::tbm_end_private_iterate(iterator);
    }
}
