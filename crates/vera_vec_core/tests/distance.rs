//! Every kernel of every level that this CPU has, against float64 and against each other.

#![allow(clippy::unwrap_used)] // in tests

use proptest::prelude::*;
use vera_vec_core::distance::{ABSOLUTE_ERROR, Kernels, RELATIVE_ERROR, SimdLevel};
use vera_vec_core::element::f16;
use vera_vec_core::{MAX_DIM, Metric};

fn levels() -> Vec<&'static Kernels> {
    SimdLevel::ALL.into_iter().filter_map(Kernels::for_level).collect()
}

/// The exact sums, as near as float64 comes, and the sums of their terms' magnitudes.
struct Reference {
    l2_sq: f64,
    dot: f64,
    dot_magnitude: f64,
    a_sq: f64,
    b_sq: f64,
    l1: f64,
}

fn reference(a: &[f32], b: &[f32]) -> Reference {
    let mut r = Reference { l2_sq: 0.0, dot: 0.0, dot_magnitude: 0.0, a_sq: 0.0, b_sq: 0.0, l1: 0.0 };
    for (&x, &y) in a.iter().zip(b) {
        let (x, y) = (f64::from(x), f64::from(y));
        r.l2_sq += (x - y) * (x - y);
        r.dot += x * y;
        r.dot_magnitude += (x * y).abs();
        r.a_sq += x * x;
        r.b_sq += y * y;
        r.l1 += (x - y).abs();
    }
    r
}

/// Holds one computed sum to the published bound. float64's own rounding, in the reference, gets 2⁻³⁸ more.
#[track_caller]
fn check(what: &str, kernels: &Kernels, dim: usize, computed: f64, exact: f64, magnitude: f64) {
    if magnitude > f64::from(f32::MAX) {
        return; // may overflow
    }
    let bound = (RELATIVE_ERROR + 2f64.powi(-38)) * magnitude + dim as f64 * ABSOLUTE_ERROR;
    let error = (computed - exact).abs();
    assert!(
        error <= bound,
        "{what} at {}, {dim} dimensions: {computed} for {exact}, error {error:e} above {bound:e}",
        kernels.level().name()
    );
}

#[track_caller]
fn check_all(a: &[f32], b: &[f32]) {
    let exact = reference(a, b);
    let dim = a.len();
    let portable = Kernels::for_level(SimdLevel::Portable).unwrap();
    for kernels in levels() {
        let sums = kernels.cosine_sums(a, b);
        check("l2", kernels, dim, kernels.l2_sq(a, b), exact.l2_sq, exact.l2_sq);
        check("ip", kernels, dim, kernels.inner_product(a, b), exact.dot, exact.dot_magnitude);
        check("l1", kernels, dim, kernels.l1(a, b), exact.l1, exact.l1);
        check("cosine dot", kernels, dim, sums.dot, exact.dot, exact.dot_magnitude);
        check("cosine a", kernels, dim, sums.a_sq, exact.a_sq, exact.a_sq);
        check("cosine b", kernels, dim, sums.b_sq, exact.b_sq, exact.b_sq);
        for metric in Metric::ALL {
            assert_eq!(
                kernels.distance(metric, a, b).to_bits(),
                portable.distance(metric, a, b).to_bits(),
                "{metric:?} at {} is not what it is at portable, {dim} dimensions",
                kernels.level().name()
            );
        }
    }
}

/// Deterministic numbers in (-1, 1).
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

#[test]
fn every_length_and_alignment() {
    let a = numbers(1, 160);
    let b = numbers(2, 160);
    for dim in 0..=130 {
        for offset in 0..=17 {
            check_all(&a[offset..offset + dim], &b[17 - offset..17 - offset + dim]);
        }
    }
}

#[test]
fn long_vectors() {
    for dim in [255, 256, 1536, 2047, 2048, 2049, 4096, 6143, 15_999, MAX_DIM] {
        check_all(&numbers(3, dim), &numbers(4, dim));
        // All of one sign, where rounding errors add up rather than cancel.
        let a: Vec<f32> = numbers(5, dim).into_iter().map(f32::abs).collect();
        check_all(&a, &vec![1.0; dim]);
    }
}

/// Every addition rounds the same way: what is added to 1 is always a little less than half a unit in its last
/// place, and is lost. So the published bound is no larger than it has to be, and these tests would see it broken.
#[test]
fn the_bound_is_nearly_reached() {
    let unit = 2f64.powi(-24);
    let lost = 0.999 * 2f32.powi(-24);
    let ones = vec![1.0; 2048];
    for (lanes, steps) in [(64, 32), (32, 64)] {
        let a: Vec<f32> = (0..2048).map(|i| if i < lanes { 1.0 } else { lost }).collect();
        check_all(&a, &ones);
        check_all(&a, &vec![0.0; 2048]);
        let exact = reference(&a, &ones).dot;
        for kernels in levels() {
            let sum = if lanes == 64 {
                kernels.inner_product(&a, &ones)
            } else {
                kernels.cosine_sums(&a, &ones).dot
            };
            let error = (exact - sum) / exact;
            assert!(error > 0.99 * f64::from(steps - 1) * unit, "{} at {lanes} lanes", error / unit);
            assert!(error < RELATIVE_ERROR);
        }
    }
}

#[test]
fn expected_values() {
    for kernels in levels() {
        let distance = |metric, a: &[f32], b: &[f32]| kernels.distance(metric, a, b);
        assert_eq!(distance(Metric::L2, &[0.0, 0.0], &[3.0, 4.0]), 5.0);
        assert_eq!(distance(Metric::NegativeInnerProduct, &[1.0, 2.0], &[3.0, 4.0]), -11.0);
        assert_eq!(distance(Metric::L1, &[0.0, 0.0], &[3.0, -4.0]), 7.0);
        assert_eq!(distance(Metric::Cosine, &[1.0, 2.0], &[2.0, 4.0]), 0.0);
        assert_eq!(distance(Metric::Cosine, &[1.0, 1.0], &[1.0, -1.0]), 1.0);
        assert_eq!(distance(Metric::Cosine, &[1.0, 1.0], &[-1.1, -1.1]), 2.0);
        // No value, or none that float32 terms can reach: as pgvector.
        assert!(distance(Metric::Cosine, &[1.0, 2.0], &[0.0, 0.0]).is_nan());
        assert!(distance(Metric::Cosine, &[3e38], &[3e38]).is_nan());
        assert!(distance(Metric::Cosine, &[1e-30], &[1e-30]).is_nan());
        assert_eq!(distance(Metric::L2, &[3e38], &[-3e38]), f64::INFINITY);
        assert_eq!(distance(Metric::NegativeInnerProduct, &[3e38], &[3e38]), f64::NEG_INFINITY);
        assert_eq!(distance(Metric::L1, &[3e38], &[-3e38]), f64::INFINITY);
    }
}

#[test]
fn equal_vectors_are_at_distance_zero() {
    for dim in [1, 2, 3, 7, 100, 384, 1536, MAX_DIM] {
        let a = numbers(dim as u64, dim);
        for kernels in levels() {
            for metric in [Metric::L2, Metric::Cosine, Metric::L1] {
                assert_eq!(kernels.distance(metric, &a, &a), 0.0, "{metric:?} {dim}");
            }
        }
    }
}

#[test]
fn the_widest_level_is_used() {
    let best = Kernels::best().level();
    assert_eq!(best, levels().last().unwrap().level());
    #[cfg(target_arch = "x86_64")]
    {
        let expected = if is_x86_feature_detected!("avx512f") {
            SimdLevel::Avx512
        } else if is_x86_feature_detected!("avx2") {
            SimdLevel::Avx2
        } else {
            SimdLevel::Portable
        };
        assert_eq!(best, expected);
    }
    #[cfg(target_arch = "aarch64")]
    assert_eq!(best, SimdLevel::Neon);
}

/// Finite numbers of every magnitude: ordinary ones, one-hot zeros, denormals, extremes.
fn hostile() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -1.0f32..1.0,
        2 => any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |x| x.is_finite()),
        1 => Just(0.0f32),
        1 => Just(-0.0f32),
        1 => (0u32..0x0080_0000).prop_map(f32::from_bits),
        1 => prop_oneof![Just(f32::MAX), Just(f32::MIN), Just(1.8e19f32), Just(-1.8e19f32), Just(1e-23f32)],
    ]
}

/// Two vectors of one length; in half of the cases nearly the same one, where differences cancel.
fn pair() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    let unrelated =
        prop::collection::vec((hostile(), hostile()), 1..300).prop_map(|pairs| pairs.into_iter().unzip());
    let related = (prop::collection::vec(-1.0f32..1.0, 1..3000), any::<u64>()).prop_map(|(a, seed)| {
        let b = a.iter().zip(numbers(seed, a.len())).map(|(x, e)| x * (1.0 + e * 1e-6)).collect();
        (a, b)
    });
    prop_oneof![unrelated, related]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn sums_stay_within_the_published_bound((a, b) in pair()) {
        check_all(&a, &b);
    }

    #[test]
    fn cosine_is_in_range_or_nan((a, b) in pair()) {
        for kernels in levels() {
            let distance = kernels.cosine(&a, &b);
            prop_assert!(distance.is_nan() || (0.0..=2.0).contains(&distance), "{distance}");
        }
    }
}

/// Half precision: the bits of what the widened vectors give.
#[track_caller]
fn check_half(a: &[f16], b: &[f16]) {
    let widened = |half: &[f16]| half.iter().map(|x| x.to_f32()).collect::<Vec<_>>();
    let (wide_a, wide_b) = (widened(a), widened(b));
    let portable = Kernels::for_level(SimdLevel::Portable).unwrap();
    for kernels in levels() {
        for metric in Metric::ALL {
            assert_eq!(
                kernels.distance(metric, a, b).to_bits(),
                portable.distance(metric, &wide_a, &wide_b).to_bits(),
                "{metric:?} at {}, {} dimensions",
                kernels.level().name(),
                a.len()
            );
        }
    }
}

#[test]
fn half_precision_of_all_lengths_and_offsets() {
    // All finite halves in some order.
    let value =
        |i: u16| f16::from_bits((i.wrapping_mul(40_503) % 0x7c00) | (u16::from(i.is_multiple_of(3)) << 15));
    let (a, b): (Vec<_>, Vec<_>) = (0..2300).map(|i| (value(i), value(i + 7))).unzip();
    for dim in (0..200).chain([2047, 2048, 2049, 2200]) {
        for offset in 0..4 {
            check_half(&a[offset..offset + dim], &b[4 - offset..4 - offset + dim]);
        }
    }
}

proptest! {
    #[test]
    fn half_precision_of_any_values(bits in prop::collection::vec((0u16..0x7c00, any::<bool>(), 0u16..0x7c00, any::<bool>()), 1..600)) {
        let half = |(bits, negative): (u16, bool)| f16::from_bits(bits | (u16::from(negative) << 15));
        let a: Vec<_> = bits.iter().map(|&(a, negative, _, _)| half((a, negative))).collect();
        let b: Vec<_> = bits.iter().map(|&(_, _, b, negative)| half((b, negative))).collect();
        check_half(&a, &b);
    }
}
