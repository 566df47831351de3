//! The binary form of elements: each in network byte order, one after the other.
//!
//! Before them the binary form of a vector has its dimensions and a reserved field, 16 bits each, in the
//! same order; byte for byte pgvector's. Those two are read by PostgreSQL's own message routines.

use crate::element::{Element, check_element};
use crate::error::VectorError;

/// Reads elements from their bytes.
///
/// Shapes: `bytes`: \[dim · size of an element\]; `elements`: \[dim\].
/// Errors: [`VectorError::NotANumber`], [`VectorError::Infinite`].
pub fn decode<E: Element>(bytes: &[u8], elements: &mut [E]) -> Result<(), VectorError> {
    for (element, bytes) in elements.iter_mut().zip(bytes.chunks_exact(size_of::<E>())) {
        // The chunk has the size of an element, so the conversion cannot fail.
        let Ok(bytes) = E::Bytes::try_from(bytes) else { continue };
        *element = check_element(E::from_be_bytes(bytes))?;
    }
    Ok(())
}

/// Writes elements as bytes; the reverse of [`decode`], with the same shapes.
pub fn encode<E: Element>(elements: &[E], bytes: &mut [u8]) {
    for (element, bytes) in elements.iter().zip(bytes.chunks_exact_mut(size_of::<E>())) {
        bytes.copy_from_slice(element.to_be_bytes().as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_order() {
        let mut bytes = [0; 8];
        encode(&[1.0f32, -2.5], &mut bytes);
        assert_eq!(bytes, [0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0]);
        let mut elements = [0.0f32; 2];
        decode(&bytes, &mut elements).unwrap();
        assert_eq!(elements, [1.0, -2.5]);
    }

    #[test]
    fn only_finite_elements() {
        for (value, message) in [
            (f32::NAN, "NaN not allowed in veravec"),
            (f32::INFINITY, "infinite value not allowed in veravec"),
            (f32::NEG_INFINITY, "infinite value not allowed in veravec"),
        ] {
            let error = decode(&value.to_be_bytes(), &mut [0.0f32]).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
