//! Vectors as datums.
//!
//! A datum is a varlena: PostgreSQL's 4-byte length, then the dimensions and a reserved zero, 16 bits each,
//! then the elements. Byte for byte this is pgvector's layout, so that a cast between the two need do nothing.
//! It is aligned as an int4, and may come in any of the forms that TOAST gives a varlena.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::{NonNull, null_mut};

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum, FromDatum};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{PgSqlErrorCode, function_name, pg_sys, varlena};
use vera_vec_core::element::f16;
use vera_vec_core::{Element, MAX_DIM};

use crate::error;

/// What stands before the elements.
#[repr(C)]
struct Header {
    /// PostgreSQL's length word: the size of the datum, this header included.
    vl_len: u32,
    dim: u16,
    /// Reserved; always zero.
    unused: u16,
}

const _: () = assert!(size_of::<Header>() == 8 && align_of::<Header>() == 4);

impl Header {
    /// Bytes of a datum with `dim` elements.
    fn size<E: Element>(dim: usize) -> usize {
        size_of::<Self>() + dim * size_of::<E>()
    }
}

/// A vector that a function was called with: its elements, wherever they lie.
pub(crate) struct Vector<'fcx, E: Element> {
    elements: &'fcx [E],
    /// The copy that has the elements, if the argument was compressed, out of line or packed; else null.
    copy: *mut pg_sys::varlena,
}

impl<'fcx, E: Element> Vector<'fcx, E> {
    /// The elements of a datum that can be read where it lies and is valid.
    ///
    /// Never raises an error, and calls nothing of PostgreSQL.
    ///
    /// # Safety
    /// `datum` is a datum of the type, not null, and stays there as long as the result.
    #[inline]
    pub(crate) unsafe fn plain(datum: pg_sys::Datum) -> Option<&'fcx [E]> {
        let stored: *mut pg_sys::varlena = datum.cast_mut_ptr();
        // SAFETY: a datum of this type points to a varlena.
        if unsafe { varlena::varatt_is_4b_u(stored) } {
            // SAFETY: a plain varlena has as many bytes as its length word says.
            unsafe { elements(stored) }.ok()
        } else {
            None
        }
    }

    /// Makes the elements of a datum readable.
    ///
    /// Raises ERRCODE_DATA_CORRUPTED if lengths and dimensions do not fit each other.
    ///
    /// # Safety
    /// `datum` is a datum of the type, not null, and stays there as long as the result.
    unsafe fn new(datum: pg_sys::Datum) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let (plain, copy) = detoasted(datum);
            Self::of_plain(plain, copy)
        }
    }

    /// # Safety
    /// `plain` and `copy` are what [`detoasted`] gives for a datum of the type.
    unsafe fn of_plain(plain: *mut pg_sys::varlena, copy: *mut pg_sys::varlena) -> Self {
        // SAFETY: a plain varlena has as many bytes as its length word says; a copy is there until self goes.
        match unsafe { elements(plain) } {
            Ok(elements) => Self { elements, copy },
            Err((size, dim)) => raise_corrupted::<E>(size, dim),
        }
    }
}

/// A plain varlena with what a datum has, and the same again if it is a copy, else null.
///
/// # Safety
/// `datum` is a varlena, not null.
unsafe fn detoasted(datum: pg_sys::Datum) -> (*mut pg_sys::varlena, *mut pg_sys::varlena) {
    let stored: *mut pg_sys::varlena = datum.cast_mut_ptr();
    // SAFETY: the caller's.
    unsafe {
        if varlena::varatt_is_4b_u(stored) {
            (stored, null_mut())
        } else {
            let copy = pg_sys::pg_detoast_datum(stored);
            (copy, copy)
        }
    }
}

/// A vector of any of the types, with single-precision elements.
pub(crate) enum Widened<'a> {
    Single(Vector<'a, f32>),
    Half(Vec<f32>),
}

impl Widened<'_> {
    /// The vector that a datum is. Its size and its dimensions say of which type, because there are no vectors without
    /// dimensions.
    ///
    /// Raises ERRCODE_DATA_CORRUPTED if it is of none.
    ///
    /// # Safety
    /// `datum` is a datum of one of the types, not null, and stays there as long as the result.
    pub(crate) unsafe fn new(datum: pg_sys::Datum) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let (plain, copy) = detoasted(datum);
            if elements::<f16>(plain).is_ok() {
                let half = Vector::<f16>::of_plain(plain, copy);
                let mut widened = vec![0.0; half.len()];
                f16::widen(&half, &mut widened);
                Self::Half(widened)
            } else {
                Self::Single(Vector::of_plain(plain, copy))
            }
        }
    }
}

impl Deref for Widened<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Single(vector) => vector,
            Self::Half(widened) => widened,
        }
    }
}

/// The elements of a plain datum; or its size and dimensions, if they do not fit each other.
///
/// # Safety
/// `datum` points to a varlena with a 4-byte length word, aligned as an int4, with as many bytes as that says,
/// which stays there unchanged as long as the result.
#[inline]
unsafe fn elements<'a, E: Element>(datum: *mut pg_sys::varlena) -> Result<&'a [E], (usize, usize)> {
    // SAFETY: the caller's.
    let size = unsafe { varlena::varsize_4b(datum) };
    if size < size_of::<Header>() {
        return Err((size, 0));
    }
    let header: *const Header = datum.cast();
    // SAFETY: the datum has at least the size of a header, and its alignment.
    let dim = usize::from(unsafe { (*header).dim });
    if !(1..=MAX_DIM).contains(&dim) || size != Header::size::<E>(dim) {
        return Err((size, dim));
    }
    // SAFETY: as many elements as that follow the header, and are aligned because its size is a multiple of 4.
    Ok(unsafe { std::slice::from_raw_parts(header.add(1).cast(), dim) })
}

#[cold]
fn raise_corrupted<E: Element>(size: usize, dim: usize) -> ! {
    let message = format!("invalid {} value in storage", E::TYPE_NAME);
    let detail = format!("The value has {size} bytes and claims {dim} dimensions.");
    error::report(
        ErrorReport::new(PgSqlErrorCode::ERRCODE_DATA_CORRUPTED, message, function_name!())
            .set_detail(detail),
    )
}

impl<E: Element> Deref for Vector<'_, E> {
    type Target = [E];

    // Not for longer than self is borrowed, because a copy goes with self.
    #[inline]
    fn deref(&self) -> &[E] {
        self.elements
    }
}

impl<E: Element> Drop for Vector<'_, E> {
    // Copies are freed at once, not with the memory context: functions that sort or index vectors are called
    // many times in one context.
    fn drop(&mut self) {
        if !self.copy.is_null() {
            // SAFETY: pg_detoast_datum has made this chunk, and nothing else refers to it.
            unsafe { pg_sys::pfree(self.copy.cast()) }
        }
    }
}

impl<E: Element> FromDatum for Vector<'_, E> {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the caller has made sure of the type, and that the datum stays where it is.
        (!is_null).then(|| unsafe { Self::new(datum) })
    }
}

// SAFETY: the SQL files declare such arguments with the type that E names.
unsafe impl<'fcx, E: Element> ArgAbi<'fcx> for Vector<'fcx, E> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the argument is of the type, and is there as long as the call.
        unsafe { arg.unbox_arg_using_from_datum() }.unwrap_or_else(|| {
            let message = format!("null {} where none was expected", E::TYPE_NAME);
            error::raise(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, message)
        })
    }
}

/// A vector under construction, in the current memory context: the result of a function.
pub(crate) struct VectorBuf<E: Element> {
    header: NonNull<Header>,
    element: PhantomData<E>,
}

impl<E: Element> VectorBuf<E> {
    /// A zero vector of `dim` dimensions, which are from 1 to [`MAX_DIM`].
    ///
    /// Memory context: the current one. PostgreSQL frees it with that; there is no Drop.
    pub(crate) fn new(dim: usize) -> Self {
        let size = Header::size::<E>(dim);
        let (Ok(length), Ok(short_dim)) = (i32::try_from(size), u16::try_from(dim)) else {
            error::raise(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, format!("{dim} dimensions"))
        };
        // SAFETY: palloc0 returns as many zero bytes, aligned for anything, or raises an error.
        let header = unsafe { NonNull::new_unchecked(pg_sys::palloc0(size).cast::<Header>()) };
        // SAFETY: the chunk has room for the header, and nothing else refers to it.
        unsafe {
            varlena::set_varsize_4b(header.as_ptr().cast(), length);
            (*header.as_ptr()).dim = short_dim;
        }
        Self { header, element: PhantomData }
    }

    /// A vector of these elements, from 1 to [`MAX_DIM`] of them.
    pub(crate) fn from_slice(elements: &[E]) -> Self {
        let mut vector = Self::new(elements.len());
        vector.copy_from_slice(elements);
        vector
    }
}

impl<E: Element> Deref for VectorBuf<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        // SAFETY: `new` has allocated as many elements as the header says, and zeros are elements.
        unsafe {
            std::slice::from_raw_parts(
                self.header.add(1).cast().as_ptr(),
                usize::from(self.header.as_ref().dim),
            )
        }
    }
}

impl<E: Element> DerefMut for VectorBuf<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        // SAFETY: as for Deref; and self is borrowed mutably, and owns the chunk.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.header.add(1).cast().as_ptr(),
                usize::from(self.header.as_ref().dim),
            )
        }
    }
}

// SAFETY: the SQL files declare functions with such results as returning the type that E names.
unsafe impl<E: Element> BoxRet for VectorBuf<E> {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: the pointer is a datum of the type, allocated in the caller's memory context.
        unsafe { fcinfo.return_raw_datum(pg_sys::Datum::from(self.header.as_ptr())) }
    }
}

// Functions are declared in the SQL files; pgrx wants to know a name all the same.
// SAFETY: it is the type's name.
unsafe impl<E: Element> SqlTranslatable for Vector<'_, E> {
    const TYPE_IDENT: &'static str = E::TYPE_NAME;
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal(E::TYPE_NAME));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal(E::TYPE_NAME)));
}

// SAFETY: as for Vector.
unsafe impl<E: Element> SqlTranslatable for VectorBuf<E> {
    const TYPE_IDENT: &'static str = E::TYPE_NAME;
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal(E::TYPE_NAME));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal(E::TYPE_NAME)));
}
