//! What PostgreSQL exports and pgrx does not bind, and what differs between PostgreSQL's versions.

use std::ffi::{c_char, c_int};

use pgrx::pg_sys;
use vera_vec_core::VectorError;

unsafe extern "C-unwind" {
    /// src/common/f2s.c: writes the shortest decimal that reads back as `f`, at most 15 bytes and not
    /// terminated, to `result`; returns its length. Raises no error.
    fn float_to_shortest_decimal_bufn(f: f32, result: *mut c_char) -> c_int;
    /// src/common/hashfn.c. Raises no error.
    fn hash_bytes(k: *const u8, keylen: c_int) -> u32;
    /// src/common/hashfn.c. Raises no error.
    fn hash_bytes_extended(k: *const u8, keylen: c_int, seed: u64) -> u64;
}

/// FLOAT_SHORTEST_DECIMAL_LEN of common/shortest_dec.h.
const FLOAT_SHORTEST_DECIMAL_LEN: usize = 16;

/// Appends a number as PostgreSQL prints a `real`.
pub(crate) fn push_shortest_decimal(value: f32, text: &mut Vec<u8>) {
    text.reserve(FLOAT_SHORTEST_DECIMAL_LEN);
    // SAFETY: there is room for the longest result, and as many bytes as are then counted have been written.
    unsafe {
        let end = text.as_mut_ptr().add(text.len());
        let length = float_to_shortest_decimal_bufn(value, end.cast());
        text.set_len(text.len() + usize::try_from(length).unwrap_or(0));
    }
}

/// PostgreSQL's hash of some bytes; `seed` is None for the 32-bit form.
pub(crate) fn hash(bytes: &[u8]) -> u32 {
    let length = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
    // SAFETY: no more bytes are read than there are.
    unsafe { hash_bytes(bytes.as_ptr(), length) }
}

/// PostgreSQL's seeded 64-bit hash of some bytes.
pub(crate) fn hash_extended(bytes: &[u8], seed: u64) -> u64 {
    let length = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
    // SAFETY: no more bytes are read than there are.
    unsafe { hash_bytes_extended(bytes.as_ptr(), length, seed) }
}

/// Tells a caller that asked for it of an error instead of raising it (`pg_input_is_valid`, `COPY … ON_ERROR`).
///
/// Returns whether it did. PostgreSQL 15 has no such callers.
#[cfg(feature = "pg15")]
pub(crate) fn save_error(_fcinfo: pg_sys::FunctionCallInfo, _error: &VectorError) -> bool {
    false
}

/// Tells a caller that asked for it of an error instead of raising it (`pg_input_is_valid`, `COPY … ON_ERROR`).
///
/// Returns whether it did; PostgreSQL's macro `ereturn`, from elog.h.
#[cfg(not(feature = "pg15"))]
pub(crate) fn save_error(fcinfo: pg_sys::FunctionCallInfo, error: &VectorError) -> bool {
    use std::ffi::CString;
    use std::ptr;

    unsafe extern "C-unwind" {
        fn errcode(sqlerrcode: c_int) -> c_int;
    }
    let c_string = |text: &str| CString::new(text.replace('\0', "")).unwrap_or_default();
    let message = c_string(&error.to_string());
    let detail = error.detail().map(c_string);

    // SAFETY: fcinfo is that of the running function; its context is null or a node.
    let context = unsafe { (*fcinfo).context };
    // SAFETY: as above.
    if context.is_null() || unsafe { (*context).type_ } != pg_sys::NodeTag::T_ErrorSaveContext {
        return false;
    }
    // SAFETY: the calls of ereturn in their order. The context is an ErrorSaveContext, so none of them raises;
    // the formats take one string each, which is there until the end.
    unsafe {
        if pg_sys::errsave_start(context, ptr::null()) {
            errcode(crate::error::sqlstate(error) as c_int);
            pg_sys::errmsg_internal(c"%s".as_ptr(), message.as_ptr());
            if let Some(detail) = &detail {
                pg_sys::errdetail_internal(c"%s".as_ptr(), detail.as_ptr());
            }
            pg_sys::errsave_finish(context, c"types/io.rs".as_ptr(), 0, c"veravec_in".as_ptr());
        }
        (*fcinfo).isnull = true;
    }
    true
}

unsafe extern "C-unwind" {
    /// src/backend/storage/lmgr/predicate.c. Only within a guard, as the rest.
    fn PredicateLockRelation(relation: pg_sys::Relation, snapshot: pg_sys::Snapshot);
    fn PredicateLockPage(relation: pg_sys::Relation, block: pg_sys::BlockNumber, snapshot: pg_sys::Snapshot);
    fn CheckForSerializableConflictIn(
        relation: pg_sys::Relation,
        tid: pg_sys::ItemPointer,
        block: pg_sys::BlockNumber,
    );
}

/// Notes for serializable transactions that all of a relation is read.
///
/// # Safety
/// An open relation, and a snapshot.
pub(crate) unsafe fn predicate_lock_relation(relation: pg_sys::Relation, snapshot: pg_sys::Snapshot) {
    // SAFETY: the caller's.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| PredicateLockRelation(relation, snapshot)) }
}

/// The same of one of its pages.
///
/// # Safety
/// The same.
pub(crate) unsafe fn predicate_lock_page(relation: pg_sys::Relation, block: u32, snapshot: pg_sys::Snapshot) {
    // SAFETY: the caller's.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| PredicateLockPage(relation, block, snapshot)) }
}

/// Ends the transaction if it is serializable, and writing to a relation makes it one that cannot be: others have read that.
///
/// # Safety
/// An open relation.
pub(crate) unsafe fn check_for_conflict_in(relation: pg_sys::Relation) {
    // SAFETY: the caller's.
    unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            CheckForSerializableConflictIn(relation, std::ptr::null_mut(), pg_sys::InvalidBlockNumber);
        });
    }
}

/// Counts a scan of an index in PostgreSQL's statistics; its macro `pgstat_count_index_scan`, from pgstat.h.
///
/// # Safety
/// An open index.
pub(crate) unsafe fn count_index_scan(index: pg_sys::Relation) {
    // SAFETY: the caller's; what pgstat_assoc_relation sets stays as long as the index is open.
    unsafe {
        if (*index).pgstat_info.is_null() {
            if !(*index).pgstat_enabled {
                return;
            }
            pg_sys::pgstat_assoc_relation(index);
        }
        let info = (*index).pgstat_info;
        #[cfg(feature = "pg15")]
        {
            (*info).t_counts.t_numscans += 1;
        }
        #[cfg(not(feature = "pg15"))]
        {
            (*info).counts.numscans += 1;
        }
    }
}

/// Ends the statement if rows that its snapshot sees may have been removed, which `old_snapshot_threshold` allows.
///
/// To be called after pages were read, and before anybody learns what was in them. PostgreSQL asks page by page, and lets
/// those be that have not changed; here all of a scan is too old as soon as its snapshot is. From PostgreSQL 17 on there is
/// no such setting.
///
/// # Safety
/// An open index, and the snapshot of its scan.
#[allow(unused_variables)]
pub(crate) unsafe fn check_snapshot_age(index: pg_sys::Relation, snapshot: pg_sys::Snapshot) {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    // SAFETY: the caller's; a setting of PostgreSQL's. A snapshot without a position in the log was not taken for a query.
    unsafe {
        if pg_sys::old_snapshot_threshold >= 0 && (*snapshot).lsn != 0 {
            pg_sys::TestForOldSnapshot_impl(snapshot, index);
        }
    }
}

/// Memory for what is not needed after a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scratch(pg_sys::MemoryContext);

impl Scratch {
    /// In another memory context, which frees it when it goes.
    ///
    /// # Safety
    /// A memory context.
    pub(crate) unsafe fn new(parent: pg_sys::MemoryContext) -> Self {
        // SAFETY: the caller's.
        Self(unsafe {
            pg_sys::AllocSetContextCreateInternal(
                parent,
                c"veraflat scratch".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        })
    }

    /// Frees what `work` allocates of PostgreSQL's memory; nothing of that may be in what it returns.
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        // SAFETY: made by `new`. After an error PostgreSQL chooses the context by itself.
        unsafe {
            let caller = pg_sys::MemoryContextSwitchTo(self.0);
            let result = work();
            pg_sys::MemoryContextSwitchTo(caller);
            pg_sys::MemoryContextReset(self.0);
            result
        }
    }

    /// Frees it before its parent does.
    pub(crate) fn delete(self) {
        // SAFETY: made by `new`, and not current.
        unsafe { pg_sys::MemoryContextDelete(self.0) }
    }
}

/// Lets VACUUM sleep as its cost limit asks, and answer interrupts.
pub(crate) fn vacuum_delay_point() {
    // SAFETY: called without locks, from VACUUM.
    unsafe {
        #[cfg(feature = "pg18")]
        pg_sys::vacuum_delay_point(false);
        #[cfg(not(feature = "pg18"))]
        pg_sys::vacuum_delay_point();
    }
}

/// Whether changes of a relation have to be logged; PostgreSQL's macro `RelationNeedsWAL`, from rel.h.
pub(crate) fn relation_needs_wal(relation: pg_sys::Relation) -> bool {
    /// WAL_LEVEL_REPLICA, from xlog.h
    const REPLICA: c_int = 1;
    /// InvalidSubTransactionId, from c.h
    const NONE: pg_sys::SubTransactionId = 0;
    unsafe extern "C" {
        static wal_level: c_int;
    }
    // SAFETY: the relation is open; the setting does not change while the server runs.
    unsafe {
        let is_permanent =
            (*(*relation).rd_rel).relpersistence.to_ne_bytes() == [pg_sys::RELPERSISTENCE_PERMANENT];
        #[cfg(feature = "pg15")]
        let new_file = (*relation).rd_firstRelfilenodeSubid;
        #[cfg(not(feature = "pg15"))]
        let new_file = (*relation).rd_firstRelfilelocatorSubid;
        let is_old = (*relation).rd_createSubid == NONE && new_file == NONE;
        is_permanent && (wal_level >= REPLICA || is_old)
    }
}

/// The elements of a list of nodes.
///
/// # Safety
/// A list of pointers, or null.
pub(crate) unsafe fn list_elements<T>(list: *const pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: the caller's.
    let count = unsafe { list.as_ref() }.map_or(0, |list| usize::try_from(list.length).unwrap_or(0));
    // SAFETY: there are as many elements.
    (0..count).map(move |number| unsafe { (*(*list).elements.add(number)).ptr_value.cast() })
}

unsafe extern "C-unwind" {
    /// src/backend/executor/tstoreReceiver.c: where a receiver of kind DestTuplestore puts rows.
    fn SetTuplestoreDestReceiverParams(
        receiver: *mut pg_sys::DestReceiver,
        store: *mut pg_sys::Tuplestorestate,
        memory: pg_sys::MemoryContext,
        detoast: bool,
        descriptor: pg_sys::TupleDesc,
        mismatch: *const c_char,
    );
}

/// What puts the rows of a statement into the result of a function.
pub(crate) struct Receiver(*mut pg_sys::DestReceiver);

impl Receiver {
    pub(crate) fn as_ptr(&self) -> *mut pg_sys::DestReceiver {
        self.0
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // SAFETY: a receiver that PostgreSQL has made; this frees its memory, and raises no error.
        unsafe {
            if let Some(destroy) = (*self.0).rDestroy {
                destroy(self.0);
            }
        }
    }
}

/// A receiver for the result of the running call. Rows that are not of the type that is expected are an error.
///
/// # Safety
/// InitMaterializedSRF was called for the same call.
pub(crate) unsafe fn receiver_of_result(fcinfo: pg_sys::FunctionCallInfo) -> Receiver {
    // SAFETY: the resultinfo has what InitMaterializedSRF puts there: a tuplestore, its descriptor, and a context that both
    // are in. The message stays.
    unsafe {
        let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        let receiver = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestTuplestore);
        SetTuplestoreDestReceiverParams(
            receiver,
            (*result).setResult,
            (*(*result).econtext).ecxt_per_query_memory,
            false,
            (*result).setDesc,
            c"structure of query does not match function result type".as_ptr(),
        );
        Receiver(receiver)
    }
}
