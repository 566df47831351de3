//! The numbers that a vector is made of, and the limits of a vector.

pub use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::distance::{Kernels, Table};
use crate::error::VectorError;

/// Most dimensions of a vector.
pub const MAX_DIM: usize = 16_000;

/// A number type that vectors can be made of.
///
/// Everything that is not about speed is written once, over this trait; kernels widen to `f32`.
pub trait Element: Copy + PartialEq + PartialOrd + std::fmt::Debug + Send + Sync + 'static {
    /// Name of the SQL type of vectors with such elements.
    const TYPE_NAME: &'static str;

    /// The bytes of one element.
    type Bytes: AsRef<[u8]> + for<'a> TryFrom<&'a [u8]>;

    /// Nearest value to the nearest `f32` to `value`; infinite if that is out of range. (pgvector goes this way, too.)
    fn from_f64(value: f64) -> Self;

    /// Nearest value to `value`; infinite if that is out of range.
    fn from_f32(value: f32) -> Self;

    /// The same number as `f32`; exact for every implementor.
    fn to_f32(self) -> f32;

    /// The same numbers as `f32`. Shapes: both \[dim\].
    fn widen(elements: &[Self], widened: &mut [f32]);

    /// The bytes in network order.
    fn to_be_bytes(self) -> Self::Bytes;

    /// The element that [`Self::to_be_bytes`] gives `bytes` for.
    fn from_be_bytes(bytes: Self::Bytes) -> Self;

    /// The kernels for vectors with such elements.
    fn table(kernels: &Kernels) -> &Table<Self>;
}

impl Element for f32 {
    const TYPE_NAME: &'static str = "veravec";

    type Bytes = [u8; 4];

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // rounding is the purpose
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline]
    fn from_f32(value: f32) -> Self {
        value
    }

    #[inline]
    fn to_f32(self) -> f32 {
        self
    }

    fn widen(elements: &[Self], widened: &mut [f32]) {
        widened.copy_from_slice(elements);
    }

    #[inline]
    fn to_be_bytes(self) -> Self::Bytes {
        self.to_be_bytes()
    }

    #[inline]
    fn from_be_bytes(bytes: Self::Bytes) -> Self {
        f32::from_be_bytes(bytes)
    }

    #[inline]
    fn table(kernels: &Kernels) -> &Table<Self> {
        &kernels.single
    }
}

/// IEEE 754 binary16.
impl Element for f16 {
    const TYPE_NAME: &'static str = "verahalfvec";

    type Bytes = [u8; 2];

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // rounding is the purpose
    fn from_f64(value: f64) -> Self {
        Self::from_f32(value as f32)
    }

    #[inline]
    fn from_f32(value: f32) -> Self {
        f16::from_f32(value)
    }

    #[inline]
    fn to_f32(self) -> f32 {
        f16::to_f32(self)
    }

    fn widen(elements: &[Self], widened: &mut [f32]) {
        elements.convert_to_f32_slice(widened);
    }

    #[inline]
    fn to_be_bytes(self) -> Self::Bytes {
        f16::to_be_bytes(self)
    }

    #[inline]
    fn from_be_bytes(bytes: Self::Bytes) -> Self {
        f16::from_be_bytes(bytes)
    }

    #[inline]
    fn table(kernels: &Kernels) -> &Table<Self> {
        &kernels.half
    }
}

/// Checks a number of dimensions.
///
/// Errors: [`VectorError::NoDimensions`], [`VectorError::TooManyDimensions`].
pub fn check_dim<E: Element>(dim: usize) -> Result<(), VectorError> {
    match dim {
        0 => Err(VectorError::NoDimensions { type_name: E::TYPE_NAME }),
        1..=MAX_DIM => Ok(()),
        _ => Err(VectorError::TooManyDimensions { type_name: E::TYPE_NAME }),
    }
}

/// Checks a number of dimensions against a type modifier, if there is one.
///
/// Errors: [`VectorError::UnexpectedDimensions`].
pub fn check_expected_dim(expected: Option<usize>, actual: usize) -> Result<(), VectorError> {
    match expected {
        Some(expected) if expected != actual => Err(VectorError::UnexpectedDimensions { expected, actual }),
        _ => Ok(()),
    }
}

/// Checks that two operands can be combined; gives their number of dimensions.
///
/// Errors: [`VectorError::DifferentDimensions`].
pub fn check_same_dim<E: Element>(a: &[E], b: &[E]) -> Result<usize, VectorError> {
    if a.len() == b.len() {
        Ok(a.len())
    } else {
        Err(VectorError::DifferentDimensions { type_name: E::TYPE_NAME, left: a.len(), right: b.len() })
    }
}

/// Checks that a value may be stored in a vector: elements are finite.
///
/// Errors: [`VectorError::NotANumber`], [`VectorError::Infinite`].
#[inline]
pub fn check_element<E: Element>(value: E) -> Result<E, VectorError> {
    let number = value.to_f32();
    if number.is_finite() {
        Ok(value)
    } else if number.is_nan() {
        Err(VectorError::NotANumber { type_name: E::TYPE_NAME })
    } else {
        Err(VectorError::Infinite { type_name: E::TYPE_NAME })
    }
}

/// The element for a number that comes from elsewhere.
///
/// Errors: [`VectorError::NotANumber`], [`VectorError::Infinite`]; and for a finite number without a finite element
/// [`VectorError::OutOfRange`], in which `literal` is to say how it is written.
#[inline]
pub fn element_of<E: Element>(number: f32, literal: impl FnOnce(f32) -> String) -> Result<E, VectorError> {
    let element = E::from_f32(number);
    if element.to_f32().is_infinite() && number.is_finite() {
        return Err(VectorError::OutOfRange { type_name: E::TYPE_NAME, literal: literal(number) });
    }
    check_element(element)
}

/// Checks the list of type modifiers of `veravec(n)`; gives `n`, which is in `1..=MAX_DIM`.
///
/// Errors: [`VectorError::InvalidTypmod`] unless there is exactly one, [`VectorError::TypmodTooSmall`],
/// [`VectorError::TypmodTooLarge`].
pub fn check_typmod<E: Element>(modifiers: &[i32]) -> Result<i32, VectorError> {
    let &[dim] = modifiers else { return Err(VectorError::InvalidTypmod) };
    match usize::try_from(dim) {
        Err(_) | Ok(0) => Err(VectorError::TypmodTooSmall { type_name: E::TYPE_NAME }),
        Ok(1..=MAX_DIM) => Ok(dim),
        Ok(_) => Err(VectorError::TypmodTooLarge { type_name: E::TYPE_NAME }),
    }
}
