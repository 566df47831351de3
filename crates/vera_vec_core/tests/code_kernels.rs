//! The kernels over codes: every level that this CPU has, against plain loops and against each other.

#![allow(clippy::unwrap_used)] // in tests
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

use proptest::prelude::*;
use vera_vec_core::codes::kernels::{
    BoundParams, CodeKernels, CodeLevel, MAX_ROW_BYTES, RotatedRows, key_of, prefetch, value_of,
};

fn levels() -> Vec<&'static CodeKernels> {
    CodeLevel::ALL.into_iter().filter_map(CodeKernels::for_level).collect()
}

/// Deterministic random numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

fn dots(rows: &[u8], even: &[i8], odd: &[i8]) -> Vec<i32> {
    let row = |row: &[u8]| {
        (0..even.len())
            .map(|j| i32::from(even[j]) * i32::from(row[j] & 15) + i32::from(odd[j]) * i32::from(row[j] >> 4))
            .sum()
    };
    rows.chunks_exact(even.len()).map(row).collect()
}

fn sads(rows: &[u8], even: &[u8], odd: &[u8]) -> Vec<u32> {
    let row = |row: &[u8]| {
        (0..even.len())
            .map(|j| {
                let low = (16 * i32::from(row[j] & 15) + 8).abs_diff(i32::from(even[j]));
                low + (16 * i32::from(row[j] >> 4) + 8).abs_diff(i32::from(odd[j]))
            })
            .sum()
    };
    rows.chunks_exact(even.len()).map(row).collect()
}

/// Codes of all dimensions, in order.
fn codes(coarse: &[u8], fine: &[u8]) -> Vec<u8> {
    let nibbles = |plane: &[u8]| plane.iter().flat_map(|byte| [byte % 16, byte / 16]).collect::<Vec<_>>();
    nibbles(coarse).iter().zip(nibbles(fine)).map(|(high, low)| high * 16 + low).collect()
}

/// Weights of all dimensions, in order.
fn interleaved<T: Copy>(even: &[T], odd: &[T]) -> Vec<T> {
    even.iter().zip(odd).flat_map(|(&even, &odd)| [even, odd]).collect()
}

/// A query's weights for every kernel.
struct Weights {
    dot: [Vec<i8>; 2],
    sad: [Vec<u8>; 2],
    level_dot: [Vec<i16>; 2],
}

impl Weights {
    fn random(random: &mut Random, row_bytes: usize) -> Self {
        let mut some = |limit: i64| -> [Vec<i64>; 2] {
            [(); 2]
                .map(|()| (0..row_bytes).map(|_| random.below(2 * limit as u64 + 1) as i64 - limit).collect())
        };
        Self {
            dot: some(127).map(|weights| weights.into_iter().map(|w| w as i8).collect()),
            sad: some(127).map(|weights| weights.into_iter().map(|w| (w + 127) as u8).collect()),
            level_dot: some(4095).map(|weights| weights.into_iter().map(|w| w as i16).collect()),
        }
    }

    fn all(row_bytes: usize, dot: [i8; 2], sad: [u8; 2], level_dot: [i16; 2]) -> Self {
        Self {
            dot: dot.map(|w| vec![w; row_bytes]),
            sad: sad.map(|w| vec![w; row_bytes]),
            level_dot: level_dot.map(|w| vec![w; row_bytes]),
        }
    }

    /// Ends of the range, the signs alternating from byte to byte.
    fn alternating(row_bytes: usize) -> Self {
        let sign = |j: usize| if j.is_multiple_of(2) { 1 } else { -1 };
        let weights = |first: usize| -> Vec<i16> { (0..row_bytes).map(|j| sign(j + first)).collect() };
        Self {
            dot: [0, 1].map(|first| weights(first).into_iter().map(|s| (127 * s) as i8).collect()),
            sad: [0, 1].map(|first| weights(first).into_iter().map(|s| (s.max(0) * 255) as u8).collect()),
            level_dot: [0, 1].map(|first| weights(first).into_iter().map(|s| 4095 * s).collect()),
        }
    }
}

/// The level that an 8-bit code stands for: 2k − 255, with steps of 14 instead of 2 from ±231 on.
fn level(code: u8) -> i64 {
    match i64::from(code) {
        code @ 240.. => 231 + 14 * (code - 240),
        code @ ..16 => -231 - 14 * (15 - code),
        code => 2 * code - 255,
    }
}

/// All kernels: those of a coarse plane's rows on `count` of them, those of both planes on the first.
#[track_caller]
fn check(planes: [&[u8]; 2], count: usize, weights: &Weights) {
    let [coarse, fine] = planes;
    let [even, odd] = &weights.dot;
    let row_bytes = even.len();
    let rows = &coarse[..count * row_bytes];
    let expected = dots(rows, even, odd);
    let [even_sad, odd_sad] = &weights.sad;
    let expected_sads = sads(rows, even_sad, odd_sad);
    let all_codes = codes(&coarse[..row_bytes], &fine[..row_bytes]);
    let [even_byte, odd_byte] = &weights.level_dot;
    let expected_level_dot: i64 = (all_codes.iter().zip(interleaved(even_byte, odd_byte)))
        .map(|(&code, weight)| level(code) * i64::from(weight))
        .sum();
    let expected_byte_sad: u32 = (all_codes.iter().zip(interleaved(even_sad, odd_sad)))
        .map(|(&code, weight)| u32::from(code.abs_diff(weight)))
        .sum();
    for kernels in levels() {
        let what = || format!("{}, {count} rows of {row_bytes} bytes", kernels.level().name());
        let mut sums = vec![i32::MIN; count];
        kernels.nibble_dots(coarse, even, odd, &mut sums);
        assert_eq!(sums, expected, "nibble_dots, {}", what());
        let mut sums = vec![u32::MAX; count];
        kernels.nibble_sads(coarse, even_sad, odd_sad, &mut sums);
        assert_eq!(sums, expected_sads, "nibble_sads, {}", what());
        let (coarse, fine) = (&coarse[..row_bytes], &fine[..row_bytes]);
        let sum = kernels.level_dot(coarse, fine, even_byte, odd_byte);
        assert_eq!(sum, expected_level_dot, "level_dot, {}", what());
        let sum = kernels.byte_sad(coarse, fine, even_sad, odd_sad);
        assert_eq!(sum, expected_byte_sad, "byte_sad, {}", what());
    }
}

fn row_lengths() -> impl Iterator<Item = usize> {
    (32..=512).step_by(32).chain([768, 1024, 1056, 2080, MAX_ROW_BYTES])
}

#[test]
fn every_row_length_and_count() {
    let mut random = Random(1);
    for row_bytes in row_lengths() {
        let (coarse, fine) = (random.bytes(36 * row_bytes), random.bytes(row_bytes));
        for count in [0, 1, 2, 7, 36] {
            check([&coarse, &fine], count, &Weights::random(&mut random, row_bytes));
        }
    }
}

#[test]
fn every_alignment() {
    let mut random = Random(2);
    for row_bytes in [32, 64, 96, 192, 224, 352] {
        let (coarse, fine) = (random.bytes(3 * row_bytes + 64), random.bytes(row_bytes + 64));
        let weights = Weights::random(&mut random, row_bytes);
        for offset in 0..64 {
            check([&coarse[offset..], &fine[63 - offset..]], 3, &weights);
        }
    }
}

#[test]
fn ends_of_the_ranges() {
    for row_bytes in row_lengths() {
        let alternating: Vec<u8> = [0xf0, 0x0f].into_iter().cycle().take(2 * row_bytes).collect();
        let (zeros, ones) = (vec![0; 2 * row_bytes], vec![0xff; 2 * row_bytes]);
        let mut all_weights = vec![Weights::alternating(row_bytes)];
        for (dot, sad, level_dot) in [
            ([127, 127], [255, 255], [4095, 4095]),
            ([-127, -127], [0, 0], [-4095, -4095]),
            ([127, -127], [255, 0], [4095, -4095]),
            // More than any query has.
            ([-128, -128], [0, 255], [i16::MIN, i16::MIN]),
            ([-128, 127], [128, 127], [i16::MIN, i16::MAX]),
        ] {
            all_weights.push(Weights::all(row_bytes, dot, sad, level_dot));
        }
        for weights in &all_weights {
            for coarse in [&zeros, &ones, &alternating] {
                for fine in [&zeros, &ones, &alternating] {
                    check([coarse, fine], 2, weights);
                }
            }
        }
    }
}

#[test]
fn dimensions_that_no_vector_has_contribute_nothing() {
    let (planes, sads) = ([0; 64], [8; 64]);
    let weights = Weights::all(64, [0, 0], [8, 8], [0, 0]);
    for kernels in levels() {
        let (mut dot, mut sad) = ([1], [1]);
        kernels.nibble_dots(&planes, &weights.dot[0], &weights.dot[1], &mut dot);
        kernels.nibble_sads(&planes, &sads, &sads, &mut sad);
        assert_eq!((dot, sad), ([0], [0]));
        assert_eq!(kernels.level_dot(&planes, &planes, &weights.level_dot[0], &weights.level_dot[1]), 0);
        assert_eq!(kernels.byte_sad(&planes, &planes, &[0; 64], &[0; 64]), 0);
    }
}

#[test]
fn empty_rows_have_sums_of_zero() {
    for kernels in levels() {
        let (mut dots, mut sads) = ([1, 2], [1, 2]);
        kernels.nibble_dots(&[], &[], &[], &mut dots);
        kernels.nibble_sads(&[], &[], &[], &mut sads);
        assert_eq!((dots, sads), ([0, 0], [0, 0]));
        assert_eq!(kernels.level_dot(&[], &[], &[], &[]), 0);
        assert_eq!(kernels.byte_sad(&[], &[], &[], &[]), 0);
    }
}

#[test]
fn lengths_that_contradict_each_other_panic() {
    let panics = |run: &(dyn Fn() + std::panic::RefUnwindSafe)| std::panic::catch_unwind(run).is_err();
    let bytes = vec![0; 2 * MAX_ROW_BYTES];
    let (i8s, i16s) = (vec![0i8; 2 * MAX_ROW_BYTES], vec![0i16; 2 * MAX_ROW_BYTES]);
    for kernels in levels() {
        let dots = |rows: usize, even: usize, odd: usize, sums: usize| {
            let run = || kernels.nibble_dots(&bytes[..rows], &i8s[..even], &i8s[..odd], &mut vec![0; sums]);
            let dots = panics(&run);
            let run = || {
                kernels.nibble_sads(&bytes[..rows], &bytes[..even], &bytes[..odd], &mut vec![0; sums]);
            };
            assert_eq!(panics(&run), dots);
            dots
        };
        assert!(!dots(128, 64, 64, 2));
        assert!(!dots(129, 64, 64, 2));
        assert!(dots(127, 64, 64, 2));
        assert!(dots(128, 64, 32, 2));
        assert!(dots(128, 32, 64, 2));
        assert!(dots(128, 48, 48, 2));
        assert!(dots(2 * MAX_ROW_BYTES, MAX_ROW_BYTES + 32, MAX_ROW_BYTES + 32, 1));
        let bytes_of = |coarse: usize, fine: usize, even: usize, odd: usize| {
            let run = || {
                kernels.level_dot(&bytes[..coarse], &bytes[..fine], &i16s[..even], &i16s[..odd]);
            };
            let dot = panics(&run);
            let run = || {
                kernels.byte_sad(&bytes[..coarse], &bytes[..fine], &bytes[..even], &bytes[..odd]);
            };
            assert_eq!(panics(&run), dot);
            dot
        };
        assert!(!bytes_of(64, 64, 64, 64));
        assert!(bytes_of(64, 32, 64, 64));
        assert!(bytes_of(64, 64, 32, 64));
        assert!(bytes_of(64, 64, 64, 96));
        assert!(bytes_of(48, 48, 48, 48));
        // Bounds, one short.
        let (f32s, params) = ([0.0; 64], params());
        for count in [1, 3, 4, 15, 16, 33] {
            for short in 0..6 {
                let length = |i: usize| if i == short { count - 1 } else { count };
                let rows = RotatedRows {
                    norm_recip: &f32s[..length(1)],
                    decoded_norm: &f32s[..length(2)],
                    residual: &f32s[..length(3)],
                    center_dot: &f32s[..length(4)],
                    inv_norm: &f32s[..length(5)],
                };
                let sums = &[0; 64][..length(0)];
                assert!(panics(&|| kernels.cosine_keys(sums, &rows, &params, &mut vec![0; count])));
                // The others do without inv_norm.
                let expected = short != 5;
                let l2 = panics(&|| kernels.l2_keys(sums, &rows, &params, &mut vec![0; count]));
                assert_eq!(l2, expected);
                let inner_product =
                    panics(&|| kernels.inner_product_keys(sums, &rows, &params, &mut vec![0; count]));
                assert_eq!(inner_product, expected);
            }
        }
    }
}

#[test]
fn the_fastest_level_is_used() {
    let best = CodeKernels::best().level();
    assert_eq!(best, levels().last().unwrap().level());
    #[cfg(target_arch = "x86_64")]
    {
        let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        let expected = if avx512 && is_x86_feature_detected!("avx512vnni") {
            CodeLevel::Avx512Vnni
        } else if avx512 {
            CodeLevel::Avx512
        } else if is_x86_feature_detected!("avx2") {
            CodeLevel::Avx2
        } else {
            CodeLevel::Portable
        };
        assert_eq!(best, expected);
    }
    #[cfg(target_arch = "aarch64")]
    assert_eq!(best, CodeLevel::Neon);
}

#[test]
fn any_address_can_be_prefetched() {
    for address in [0, 1, 4096, usize::MAX, usize::MAX / 2 + 1] {
        prefetch(address as *const u8);
    }
}

fn params() -> BoundParams {
    BoundParams {
        dot_offset: 15 * 768,
        dot_scale: 1.3e-4,
        query_error: 0.01,
        query_sq: 1.01,
        tau: 0.002,
        center_weight: -0.3,
        base: 0.7,
        shrink: 1.0 - 1e-6,
        slack_sum: 1e-6,
        floor_slack: 1e-9,
    }
}

/// One row's bounds, in the order of operations that is documented: squared L2, inner product, cosine.
fn bounds(sum: i32, [g, h, rho, m, v]: [f32; 5], params: &BoundParams) -> [f32; 3] {
    /// NaN stays.
    fn max(x: f32, y: f32) -> f32 {
        if x.is_nan() { x } else { x.max(y) }
    }
    let p = (2 * i64::from(sum) - i64::from(params.dot_offset)) as i32 as f32 * params.dot_scale * g;
    let pa = max(p.abs() - params.query_error, 0.0);
    let perp = max(params.query_sq - pa * pa, 0.0).sqrt();
    let dot = h * (p + params.query_error) + rho * (perp + params.tau) + params.center_weight * m;
    let slack = params.slack_sum * (h + rho);
    let l2 = (params.base + h * h + rho * rho) * params.shrink - 2.0 * dot - slack - params.floor_slack;
    let u = params.base + dot + slack + params.floor_slack;
    let c = u * v + (u * v).abs() * 2f32.powi(-20) + 2f32.powi(-16);
    [max(l2, 0.0), -u, max(1.0 - c, 0.0)]
}

/// Keys of rows, [g, h, ρ, m, v] each, at every level against the bounds in plain Rust.
fn check_keys(sums: &[i32], rows: &[[f32; 5]], params: &BoundParams) {
    let column = |i: usize| rows.iter().map(|row| row[i]).collect::<Vec<_>>();
    let columns = [0, 1, 2, 3, 4].map(column);
    let [norm_recip, decoded_norm, residual, center_dot, inv_norm] = &columns;
    let rotated = RotatedRows { norm_recip, decoded_norm, residual, center_dot, inv_norm };
    let expected: Vec<[i32; 3]> = (sums.iter().zip(rows))
        .map(|(&sum, &row)| {
            bounds(sum, row, params).map(|d| key_of(if d.is_nan() { f32::NEG_INFINITY } else { d }))
        })
        .collect();
    for kernels in levels() {
        let mut keys = vec![[1; 3]; rows.len()];
        let mut all = vec![1; rows.len()];
        for metric in 0..3 {
            match metric {
                0 => kernels.l2_keys(sums, &rotated, params, &mut all),
                1 => kernels.inner_product_keys(sums, &rotated, params, &mut all),
                _ => kernels.cosine_keys(sums, &rotated, params, &mut all),
            }
            for (keys, &key) in keys.iter_mut().zip(&all) {
                keys[metric] = key;
            }
        }
        for (i, (keys, expected)) in keys.iter().zip(&expected).enumerate() {
            assert_eq!(
                keys.map(value_of).map(f32::to_bits),
                expected.map(value_of).map(f32::to_bits),
                "{}, row {i} of {}: {} {:?} with {params:?}",
                kernels.level().name(),
                rows.len(),
                sums[i],
                rows[i],
            );
        }
    }
}

#[test]
fn bounds_of_any_number_of_rows() {
    let mut random = Random(3);
    let mut number = move || random.below(2000) as f32 / 1000.0;
    for count in (0..=70).chain([100, 1000]) {
        let rows: Vec<[f32; 5]> =
            (0..count).map(|_| [number(), number(), number() / 4.0, number() - 1.0, number()]).collect();
        let sums: Vec<i32> = (0..count).map(|_| (number() * 9000.0) as i32).collect();
        check_keys(&sums, &rows, &params());
    }
}

/// Neither a maximum nor a comparison may hide it: whatever is NaN, the row must not be ruled out.
#[test]
fn what_is_not_a_number_bounds_nothing() {
    let lowest = key_of(f32::NEG_INFINITY);
    for kernels in levels() {
        for count in [1, 5, 16, 37] {
            let sums = vec![6000; count];
            let fine = vec![0.5; count];
            for nan in [f32::NAN, -f32::NAN] {
                for bad in 0..12 {
                    let bad_column = vec![nan; count];
                    let column = |i: usize| if i == bad { &bad_column[..] } else { &fine[..] };
                    let rows = RotatedRows {
                        norm_recip: column(0),
                        decoded_norm: column(1),
                        residual: column(2),
                        center_dot: column(3),
                        inv_norm: column(4),
                    };
                    let mut params = params();
                    let mut set = |i: usize, field: fn(&mut BoundParams) -> &mut f32| {
                        if i == bad {
                            *field(&mut params) = nan;
                        }
                    };
                    set(5, |params| &mut params.dot_scale);
                    set(6, |params| &mut params.query_error);
                    set(7, |params| &mut params.query_sq);
                    set(8, |params| &mut params.tau);
                    set(9, |params| &mut params.center_weight);
                    set(10, |params| &mut params.base);
                    set(11, |params| &mut params.floor_slack);
                    let mut keys = vec![0; count];
                    kernels.cosine_keys(&sums, &rows, &params, &mut keys);
                    assert!(keys.iter().all(|&key| key == lowest), "cosine {bad}");
                    kernels.l2_keys(&sums, &rows, &params, &mut keys);
                    assert!(keys.iter().all(|&key| (key == lowest) == (bad != 4)), "l2 {bad}");
                    kernels.inner_product_keys(&sums, &rows, &params, &mut keys);
                    assert!(keys.iter().all(|&key| (key == lowest) == (bad != 4)), "inner product {bad}");
                }
            }
        }
    }
}

/// Float32 numbers of every kind.
fn hostile() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => -2.0f32..2.0,
        2 => any::<u32>().prop_map(f32::from_bits),
        1 => (0u32..0x0080_0000).prop_map(f32::from_bits),
        1 => prop_oneof![
            Just(0.0f32),
            Just(-0.0f32),
            Just(f32::MAX),
            Just(f32::MIN),
            Just(f32::INFINITY),
            Just(f32::NEG_INFINITY),
            Just(f32::NAN),
            Just(-f32::NAN),
        ],
    ]
}

fn hostile_params() -> impl Strategy<Value = BoundParams> {
    let ordinary = Just(params());
    let hostile =
        (any::<i32>(), prop::collection::vec(hostile(), 9)).prop_map(|(dot_offset, v)| BoundParams {
            dot_offset,
            dot_scale: v[0],
            query_error: v[1],
            query_sq: v[2],
            tau: v[3],
            center_weight: v[4],
            base: v[5],
            shrink: v[6],
            slack_sum: v[7],
            floor_slack: v[8],
        });
    prop_oneof![1 => ordinary, 2 => hostile]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn bounds_are_the_same_at_every_level(
        rows in prop::collection::vec((any::<i32>(), prop::array::uniform5(hostile())), 0..80),
        params in hostile_params(),
    ) {
        let (sums, rows): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        check_keys(&sums, &rows, &params);
    }

    #[test]
    fn keys_order_as_numbers_do(a in any::<u32>(), b in any::<u32>()) {
        let (a, b) = (f32::from_bits(a), f32::from_bits(b));
        prop_assert_eq!(key_of(a).cmp(&key_of(b)), a.total_cmp(&b));
        prop_assert_eq!(value_of(key_of(a)).to_bits(), a.to_bits());
    }

    #[test]
    fn keys_at_most_a_limit_are_collected(
        keys in prop::collection::vec(prop_oneof![-50i32..50, any::<i32>()], 0..400),
        limit in prop_oneof![-50i32..50, any::<i32>(), Just(i32::MIN), Just(i32::MAX)],
        first in 0u32..1000,
    ) {
        let expected: Vec<(i32, u32)> =
            keys.iter().zip(first..).filter(|(key, _)| **key <= limit).map(|(&key, i)| (key, i)).collect();
        for kernels in levels() {
            // What is there already stays.
            let mut out = vec![(7, 7)];
            kernels.collect_at_most(&keys, first, limit, &mut out);
            prop_assert_eq!(&out[..1], &[(7, 7)]);
            prop_assert_eq!(&out[1..], &expected[..]);
        }
    }
}

#[test]
fn keys_order_from_one_infinity_to_the_other() {
    let ascending = [
        f32::NEG_INFINITY,
        f32::MIN,
        -1.0,
        -f32::MIN_POSITIVE,
        -f32::from_bits(1),
        -0.0,
        0.0,
        f32::from_bits(1),
        f32::MIN_POSITIVE,
        1.0,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
    ];
    assert!(ascending.is_sorted_by(|&a, &b| key_of(a) < key_of(b)));
    assert_eq!((key_of(-0.0), key_of(0.0)), (-1, 0));
    for value in ascending {
        assert_eq!(value_of(key_of(value)).to_bits(), value.to_bits());
    }
    for key in [i32::MIN, -1, 0, 1, i32::MAX] {
        assert_eq!(key_of(value_of(key)), key);
    }
}

#[test]
fn one_key_of_many_is_collected_wherever_it_is() {
    for kernels in levels() {
        for position in 0..300 {
            let mut keys = vec![10; 300];
            keys[position] = 9;
            let mut out = Vec::new();
            kernels.collect_at_most(&keys, 5, 9, &mut out);
            assert_eq!(out, [(9, position as u32 + 5)]);
        }
    }
}
