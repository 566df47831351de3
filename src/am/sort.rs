//! Sorts encoded rows by their first key, so that those with one value lie together.

use std::ptr::null_mut;

use pgrx::{check_for_interrupts, pg_sys};
use vera_vec_core::codes::EncodedRow;
use vera_vec_core::keys::Key;
use vera_vec_core::page::{Layout, Tid};

/// PostgreSQL's sort of tuples, in `maintenance_work_mem` or in temporary files: the first key, the TID, and the rest as bytes.
pub(super) struct Sorter {
    state: *mut pg_sys::Tuplesortstate,
    /// For tuples on their way in, and out.
    input: *mut pg_sys::TupleTableSlot,
    output: *mut pg_sys::TupleTableSlot,
    /// Room for the last column, which begins with a varlena header.
    bytes: Vec<u8>,
}

/// `bigint < bigint`, by pg_operator's OIDs.
const INT8_LESS: u32 = 412;

impl Sorter {
    pub(super) fn new() -> Self {
        // SAFETY: a description of three columns, in the memory context of the build, which outlives the sort.
        unsafe {
            let tuple = pg_sys::CreateTemplateTupleDesc(3);
            for (number, kind) in [(1, pg_sys::INT8OID), (2, pg_sys::INT8OID), (3, pg_sys::BYTEAOID)] {
                pg_sys::TupleDescInitEntry(tuple, number, null_mut(), kind, -1, 0);
            }
            let (mut columns, mut operators) = ([1, 2], [pg_sys::Oid::from(INT8_LESS); 2]);
            let (mut collations, mut nulls_first) = ([pg_sys::InvalidOid; 2], [false; 2]);
            let state = pg_sys::tuplesort_begin_heap(
                tuple,
                2,
                columns.as_mut_ptr(),
                operators.as_mut_ptr(),
                collations.as_mut_ptr(),
                nulls_first.as_mut_ptr(),
                pg_sys::maintenance_work_mem,
                null_mut(),
                pg_sys::TUPLESORT_NONE.cast_signed(),
            );
            let input = pg_sys::MakeSingleTupleTableSlot(tuple, &raw const pg_sys::TTSOpsVirtual);
            let output = pg_sys::MakeSingleTupleTableSlot(tuple, &raw const pg_sys::TTSOpsMinimalTuple);
            Self { state, input, output, bytes: Vec::new() }
        }
    }

    /// Adds a row, which has one key at least.
    pub(super) fn put(&mut self, tid: Tid, keys: &[Key], row: &EncodedRow) {
        self.bytes.clear();
        self.bytes.extend([0; pg_sys::VARHDRSZ]);
        self.bytes.extend(keys.iter().flat_map(|key| key.to_ne_bytes()));
        row.write_to(&mut self.bytes);
        // SAFETY: the slot has room for three values, of which the tuple is a copy; the last is a varlena as long as its header says.
        unsafe {
            pgrx::varlena::set_varsize_4b(
                self.bytes.as_mut_ptr().cast(),
                i32::try_from(self.bytes.len()).unwrap_or(i32::MAX),
            );
            let values = [
                // In the order of unsigned numbers.
                pg_sys::Datum::from((keys[0] ^ 1 << 63).cast_signed()),
                pg_sys::Datum::from(i64::from(tid.block) << 16 | i64::from(tid.offset)),
                pg_sys::Datum::from(self.bytes.as_mut_ptr()),
            ];
            pg_sys::ExecClearTuple(self.input);
            (*self.input).tts_values.copy_from(values.as_ptr(), values.len());
            (*self.input).tts_isnull.copy_from([false; 3].as_ptr(), values.len());
            pg_sys::ExecStoreVirtualTuple(self.input);
            pg_sys::tuplesort_puttupleslot(self.state, self.input);
        }
    }

    /// Gives all rows, sorted.
    pub(super) fn sort(self, layout: &Layout, mut give: impl FnMut(Tid, &[Key], &EncodedRow)) {
        let mut row = EncodedRow::new(layout.dimensions);
        let mut keys = vec![0; layout.keys];
        // SAFETY: made in `new`; a tuple's values are those that `put` has formed it of, and are there until the next.
        unsafe {
            pg_sys::tuplesort_performsort(self.state);
            while pg_sys::tuplesort_gettupleslot(self.state, true, false, self.output, null_mut()) {
                check_for_interrupts!();
                pg_sys::slot_getsomeattrs(self.output, 3);
                let values = (*self.output).tts_values;
                let tid = (*values.add(1)).value() as u64;
                let varlena = (*values.add(2)).cast_mut_ptr::<pg_sys::varlena>();
                let bytes = pgrx::varlena::varlena_to_byte_slice(varlena);
                let (key_bytes, row_bytes) = bytes.split_at(8 * layout.keys);
                for (key, &bytes) in keys.iter_mut().zip(key_bytes.as_chunks().0) {
                    *key = Key::from_ne_bytes(bytes);
                }
                row.read_from(row_bytes);
                #[allow(clippy::cast_possible_truncation)] // as `put` has put it together
                give(Tid { block: (tid >> 16) as u32, offset: tid as u16 }, &keys, &row);
            }
            pg_sys::ExecDropSingleTupleTableSlot(self.input);
            pg_sys::ExecDropSingleTupleTableSlot(self.output);
            pg_sys::tuplesort_end(self.state);
        }
    }
}
