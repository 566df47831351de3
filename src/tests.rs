//! Tests that need a backend and the Rust side of it at once. What SQL alone can show is in tests/.

#![allow(clippy::unwrap_used)] // in tests

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use pgrx::datum::FromDatum;
    use pgrx::{pg_sys, varlena};

    use super::*;
    use crate::types::{VectorBuf, Veravec};

    /// The datum that a query gives, in the memory context of the caller.
    fn datum(query: &str) -> pg_sys::Datum {
        Spi::connect(|client| {
            let row = client.select(query, Some(1), &[]).unwrap().first();
            let stored = row.get_datum_by_ordinal(1).unwrap().unwrap();
            // SAFETY: the datum is a varlena, and is copied before SPI's memory goes.
            unsafe {
                let size = varlena::varsize_any(stored.cast_mut_ptr());
                let copy = pgrx::PgMemoryContexts::TopTransactionContext.palloc_slice::<u8>(size);
                copy.copy_from_slice(std::slice::from_raw_parts(stored.cast_mut_ptr(), size));
                pg_sys::Datum::from(copy.as_mut_ptr())
            }
        })
    }

    #[pg_test]
    fn simd_level_is_the_best_of_this_cpu() {
        let level: Option<String> = Spi::get_one("SELECT vera_vec_simd_level()").unwrap();
        assert_eq!(level.as_deref(), Some(vera_vec_core::distance::Kernels::best().level().name()));
    }

    #[cfg(feature = "pg18")]
    #[pg_test]
    fn module_says_its_name_and_version() {
        let query =
            "SELECT module_name, version FROM pg_get_loaded_modules() WHERE file_name LIKE 'vera_vec%'";
        let (name, version) = Spi::get_two::<String, String>(query).unwrap();
        assert_eq!(
            (name.as_deref(), version.as_deref()),
            (Some("vera_vec"), Some(env!("CARGO_PKG_VERSION")))
        );
    }

    #[pg_test]
    fn datum_has_the_documented_bytes() {
        let stored = datum("SELECT '[1,-2]'::veravec");
        // SAFETY: the datum is a varlena; a plain veravec of two dimensions has 16 bytes.
        let bytes = unsafe {
            let plain = pg_sys::pg_detoast_datum(stored.cast_mut_ptr());
            std::slice::from_raw_parts(plain.cast::<u8>(), 16)
        };
        let expected: Vec<u8> = [(16u32 << 2).to_ne_bytes().as_slice(), &2u16.to_ne_bytes(), &[0, 0]]
            .into_iter()
            .chain([1f32.to_ne_bytes().as_slice(), &(-2f32).to_ne_bytes()])
            .flatten()
            .copied()
            .collect();
        assert_eq!(bytes, expected);
    }

    #[pg_test]
    fn result_is_a_vector_again() {
        let mut built = VectorBuf::<f32>::new(3);
        built[1] = 2.5;
        assert_eq!(&built[..], [0.0, 2.5, 0.0]);
        assert_eq!(&VectorBuf::from_slice(&[7.0f32])[..], [7.0]);
    }

    /// Sorting and indexing compare many vectors in one memory context.
    #[pg_test]
    fn arguments_from_toast_leave_no_memory_behind() {
        Spi::run("CREATE TEMP TABLE stored (v veravec)").unwrap();
        Spi::run("INSERT INTO stored SELECT array_fill(1, ARRAY[5000])::veravec").unwrap();
        let datum = datum("SELECT v FROM stored");
        // SAFETY: the datum is a varlena; the context is there.
        unsafe {
            assert!(varlena::varatt_is_1b_e(datum.cast_mut_ptr()), "out of line");
            let allocated = || pg_sys::MemoryContextMemAllocated(pg_sys::CurrentMemoryContext, true);
            let read = || Veravec::from_datum(datum, false).unwrap().len();
            assert_eq!(read(), 5000);
            let before = allocated();
            for _ in 0..1000 {
                read();
            }
            assert_eq!(allocated(), before);
        }
    }

    /// ARCHITECTURE.md, "VACUUM and scans": the argument needs snapshots that see what was there at one time.
    #[pg_test(error = "non-MVCC snapshots are not supported with veraflat")]
    fn refuses_snapshots_that_are_not_mvcc() {
        Spi::run("CREATE TABLE t (v veravec(2)); INSERT INTO t VALUES ('[1,2]'); CREATE INDEX t_v ON t USING veraflat (v)").unwrap();
        let oid = |name: &str| {
            Spi::get_one::<pg_sys::Oid>(&format!("SELECT '{name}'::regclass::oid")).unwrap().unwrap()
        };
        let (table, index) = (oid("t"), oid("t_v"));
        let vector = datum("SELECT '[1,1]'::veravec");
        // SAFETY: what the executor does for an index scan, with a snapshot that it would not use. The error that this
        // ends with releases what was opened.
        unsafe {
            let heap = pg_sys::table_open(table, pg_sys::AccessShareLock.cast_signed());
            let index = pg_sys::index_open(index, pg_sys::AccessShareLock.cast_signed());
            let snapshot = &raw mut pg_sys::SnapshotAnyData;
            #[cfg(feature = "pg18")]
            let scan = pg_sys::index_beginscan(heap, index, snapshot, std::ptr::null_mut(), 0, 1);
            #[cfg(not(feature = "pg18"))]
            let scan = pg_sys::index_beginscan(heap, index, snapshot, 0, 1);
            let mut order_by = pg_sys::ScanKeyData {
                sk_strategy: 1,
                sk_attno: 1,
                sk_argument: vector,
                ..Default::default()
            };
            pg_sys::index_rescan(scan, std::ptr::null_mut(), 0, &mut order_by, 1);
            pg_sys::index_getnext_tid(scan, pg_sys::ScanDirection::ForwardScanDirection);
        }
    }
}
