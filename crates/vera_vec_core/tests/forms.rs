//! The text and binary forms, on values and on garbage.

#![allow(clippy::unwrap_used)] // in tests

use proptest::prelude::*;
use vera_vec_core::element::{element_of, f16};
use vera_vec_core::vector::{self, Arithmetic};
use vera_vec_core::{VectorError, text, wire};

fn finite() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |x| x.is_finite())
}

/// What may stand in a vector's text, in pieces, so that garbage is often nearly right.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("[".to_owned()),
        3 => Just("]".to_owned()),
        4 => Just(",".to_owned()),
        2 => "[ \t\n\r\u{b}\u{c}]{1,3}",
        4 => "[+-]?[0-9]{1,5}(\\.[0-9]{0,5})?([eE][+-]?[0-9]{1,3})?",
        1 => "[+-]?0[xX][0-9a-fA-F]{0,12}\\.?[0-9a-f]{0,12}([pP][+-]?[0-9]{1,4})?",
        1 => Just("nan".to_owned()),
        1 => Just("-Infinity".to_owned()),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn decimal_round_trip(values in prop::collection::vec(finite(), 1..50)) {
        for written in [
            values.iter().map(|x| format!("{x}")).collect::<Vec<_>>(),
            values.iter().map(|x| format!(" {x:e} ")).collect(),
        ] {
            let parsed: Vec<f32> = text::parse(format!("[{}]", written.join(",")).as_bytes(), None).unwrap();
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&parsed), bits(&values));
        }
    }

    #[test]
    fn decimal_rounds_as_the_standard_library(number in "[+-]?[0-9]{1,20}\\.[0-9]{1,25}(e[+-]?[0-9]{1,2})?") {
        let expected: f32 = number.parse().unwrap();
        let parsed = text::parse::<f32>(format!("[{number}]").as_bytes(), None);
        if expected.is_finite() {
            prop_assert_eq!(parsed.unwrap()[0].to_bits(), expected.to_bits());
        } else {
            prop_assert_eq!(parsed.unwrap_err().to_string(), format!("\"{number}\" is out of range for type veravec"));
        }
    }

    #[test]
    fn hexadecimal_round_trip(value in finite()) {
        let bits = value.to_bits();
        let exponent = (bits >> 23) & 0xff;
        let (lead, power) = if exponent == 0 { (0, -126) } else { (1, exponent.cast_signed() - 127) };
        let sign = if value.is_sign_negative() { "-" } else { "" };
        let written = format!("[{sign}0x{lead}.{:06x}p{power}]", (bits & 0x7f_ffff) << 1);
        let parsed: Vec<f32> = text::parse(written.as_bytes(), None).unwrap();
        prop_assert_eq!(parsed[0].to_bits(), bits, "{}", written);
    }

    #[test]
    fn garbage_is_refused_by_name(tokens in prop::collection::vec(token(), 0..12)) {
        let input = tokens.concat();
        match text::parse::<f32>(input.as_bytes(), None) {
            Ok(values) => prop_assert!(!values.is_empty() && values.iter().all(|x| x.is_finite())),
            Err(error) => prop_assert!(error.to_string().contains("veravec"), "{}", error),
        }
    }

    #[test]
    fn any_bytes_are_survived(input in prop::collection::vec(any::<u8>(), 0..100)) {
        let bracketed: Vec<u8> = [b"[".as_slice(), &input].concat();
        for input in [&input, &bracketed] {
            if let Err(error) = text::parse::<f32>(input, None) {
                prop_assert!(error.to_string().contains("veravec"), "{}", error);
            }
        }
    }

    #[test]
    fn binary_round_trip(values in prop::collection::vec(finite(), 1..50)) {
        let mut bytes = vec![0; values.len() * 4];
        wire::encode(&values, &mut bytes);
        let mut decoded = vec![0.0f32; values.len()];
        wire::decode(&bytes, &mut decoded).unwrap();
        prop_assert_eq!(decoded, values);
    }

    #[test]
    fn any_binary_is_a_vector_or_an_error(bytes in prop::collection::vec(any::<u8>(), 4..100)) {
        let mut decoded = vec![0.0f32; bytes.len() / 4];
        let finite = bytes.chunks_exact(4).all(|b| f32::from_be_bytes(b.try_into().unwrap()).is_finite());
        match wire::decode(&bytes, &mut decoded) {
            Ok(()) => prop_assert!(finite),
            Err(error) => {
                let expected = matches!(error, VectorError::NotANumber { .. } | VectorError::Infinite { .. });
                prop_assert!(!finite && expected, "{}", error);
            }
        }
    }
}

/// Every finite half comes back from its text and its bytes.
#[test]
fn all_halves_round_trip() {
    let all: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).filter(|x| x.is_finite()).collect();
    for halves in all.chunks(1000) {
        let written = halves.iter().map(|x| format!("{}", x.to_f32())).collect::<Vec<_>>().join(",");
        let parsed: Vec<f16> = text::parse(format!("[{written}]").as_bytes(), None).unwrap();
        let bits = |values: &[f16]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&parsed), bits(halves));
        let mut bytes = vec![0; 2 * halves.len()];
        wire::encode(halves, &mut bytes);
        let mut decoded = vec![f16::ZERO; halves.len()];
        wire::decode(&bytes, &mut decoded).unwrap();
        assert_eq!(bits(&decoded), bits(halves));
    }
}

#[test]
fn halves_have_a_smaller_range() {
    let parse = |text: &str| text::parse::<f16>(text.as_bytes(), None);
    assert_eq!(
        parse("[65519,-65519,1e-8,6e-8]").unwrap(),
        [f16::MAX, f16::MIN, f16::ZERO, f16::from_bits(1)]
    );
    assert_eq!(parse("[65520]").unwrap_err().to_string(), "\"65520\" is out of range for type verahalfvec");
    assert_eq!(parse("[1e39]").unwrap_err().to_string(), "\"1e39\" is out of range for type verahalfvec");
    assert_eq!(parse("[inf]").unwrap_err().to_string(), "infinite value not allowed in verahalfvec");
    assert_eq!(
        wire::decode(&[0x7c, 0], &mut [f16::ZERO]).unwrap_err().to_string(),
        "infinite value not allowed in verahalfvec"
    );
    assert_eq!(
        element_of::<f16>(65520.0, |x| x.to_string()).unwrap_err().to_string(),
        "\"65520\" is out of range for type verahalfvec"
    );
    assert_eq!(
        element_of::<f16>(f32::NAN, |x| x.to_string()).unwrap_err().to_string(),
        "NaN not allowed in verahalfvec"
    );
    assert_eq!(
        element_of::<f16>(f32::INFINITY, |x| x.to_string()).unwrap_err().to_string(),
        "infinite value not allowed in verahalfvec"
    );
    assert_eq!(element_of::<f32>(f32::MAX, |x| x.to_string()).unwrap(), f32::MAX);
    let half = f16::from_f32;
    let mut result = [f16::ZERO];
    let mut compute = |operation, a, b| vector::arithmetic(operation, &[half(a)], &[half(b)], &mut result);
    assert_eq!(compute(Arithmetic::Add, 65504.0, 1.0), Ok(()));
    assert_eq!(compute(Arithmetic::Add, 65504.0, 16.0), Err(VectorError::Overflow));
    assert_eq!(compute(Arithmetic::Multiply, 1e-4, 1e-4), Err(VectorError::Underflow));
    assert_eq!(vector::norm(&[half(3.0), half(4.0)]), 5.0);
}
