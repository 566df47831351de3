//! Searches for a lower bound that is above the value that the SQL operator computes (ARCHITECTURE.md, INV-2), or an upper
//! bound that is below it.
//!
//! Vectors and queries are made to be hostile: what rounding, cancellation, outliers and extremes can do.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // in tests

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use vera_vec_core::codes::kernels::levels::fine_level;
use vera_vec_core::codes::kernels::{CodeKernels, CodeLevel};
use vera_vec_core::codes::{CodeKind, EncodedRow, Encoder, Interval, Query, Refined, Rotation, RowState};
use vera_vec_core::distance::{Kernels, any_order_error};
use vera_vec_core::page::{Layout, Page, ScanPage, ScanPageMut};
use vera_vec_core::ranking::Place;
use vera_vec_core::{MAX_DIM, Metric};

#[repr(align(64))]
struct AlignedPage(Page);

/// A source of hostile numbers: SplitMix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }

    /// From −1 to 1.
    fn uniform(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Nearly normal.
    fn normal(&mut self) -> f32 {
        (0..6).map(|_| self.uniform()).sum::<f32>() * 0.707
    }

    fn vector(&mut self, dim: usize) -> Vec<f32> {
        let mut numbers: Vec<f32> = (0..dim).map(|_| self.normal()).collect();
        match self.below(14) {
            0 => numbers.fill(0.0),
            1 => {
                numbers.fill(0.0);
                let hot = self.below(dim);
                numbers[hot] = self.normal() * 1e3;
            }
            2 => {
                let value = self.normal();
                numbers.fill(value);
            }
            3 => {
                for _ in 0..1 + dim / 64 {
                    let outlier = self.below(dim);
                    numbers[outlier] *= 20.0;
                }
            }
            4 => {
                for number in &mut numbers {
                    *number *= 10f32.powi((self.bits() % 61) as i32 - 30);
                }
            }
            5 => {
                for number in &mut numbers {
                    *number = f32::from_bits((self.bits() as u32) & 0x807f_ffff); // denormal
                }
            }
            6 => {
                for number in &mut numbers {
                    *number = if self.below(2) == 0 { f32::MAX } else { -f32::MAX };
                }
            }
            7 => {
                for number in &mut numbers {
                    *number = if self.below(3) == 0 { -0.0 } else { number.round() };
                }
            }
            8 => {
                let exponent = (self.bits() % 120) as i32 - 60;
                for number in &mut numbers {
                    *number *= (exponent as f32).exp2();
                }
            }
            9 => {
                for number in &mut numbers {
                    *number += 1000.0;
                }
            }
            10 => {
                let far = self.below(dim);
                numbers[far] = 1e12;
            }
            _ => {}
        }
        numbers
    }
}

/// A vector near another: a multiple, a neighbour, one that differs in one dimension.
fn relative_of(random: &mut Random, of: &[f32]) -> Vec<f32> {
    let factor = [1.0, -1.0, 0.5, 1e-3, 1e3, 1.000_001][random.below(6)];
    let noise = [0.0, 1e-7, 1e-4, 1e-2, 0.3][random.below(5)];
    let mut near: Vec<f32> = of
        .iter()
        .map(|&x| (x * factor * (1.0 + noise * random.normal())).clamp(-f32::MAX, f32::MAX))
        .collect();
    if random.below(4) == 0 {
        let other = random.below(near.len());
        near[other] = random.normal();
    }
    near
}

/// A vector that codes represent well: signs around the centre, all of one magnitude.
fn signs(random: &mut Random, vector: &[f32], center: &[f32]) -> Vec<f32> {
    let scale = 1.0 + random.uniform().abs();
    vector
        .iter()
        .zip(center)
        .map(|(&x, &c)| c + scale * if x >= c { 1.0 } else { -1.0 })
        .map(|x: f32| x.clamp(-f32::MAX, f32::MAX))
        .collect()
}

/// The inverse of [`Rotation`]: its columns, since it is orthogonal.
struct Unrotation(Vec<Vec<f32>>);

impl Unrotation {
    fn new(dim: usize) -> Self {
        let rotation = Rotation::new(dim);
        let column = |hot| {
            let mut column = vec![0.0; dim];
            column[hot] = 1.0;
            rotation.apply(&mut column);
            column
        };
        Self((0..dim).map(column).collect())
    }

    fn apply(&self, rotated: &[f64]) -> Vec<f64> {
        let dot = |column: &Vec<f32>| column.iter().zip(rotated).map(|(&a, &b)| f64::from(a) * b).sum();
        self.0.iter().map(dot).collect()
    }
}

/// A query nearly parallel to the vector that a row's codes stand for, off by a little of what they miss: there the
/// root in the bound all but cancels, and Cauchy–Schwarz is all but an equation.
fn nearly_parallel(
    random: &mut Random,
    encoder: &Encoder,
    unrotation: &Unrotation,
    vector: &[f32],
) -> Vec<f32> {
    let (center, dim) = (encoder.center(), vector.len());
    let mut row = EncodedRow::new(dim);
    encoder.encode(Some(vector), &mut row);
    let rotated = {
        let mut rotated: Vec<f32> = vector.iter().zip(center).map(|(x, c)| x - c).collect();
        Rotation::new(dim).apply(&mut rotated);
        rotated
    };
    let is_fine = random.below(2) == 0;
    let decoded: Vec<f64> = (0..dim)
        .map(|j| {
            let nibble = |bytes: &[u8]| if j % 2 == 0 { bytes[j / 2] & 15 } else { bytes[j / 2] >> 4 };
            let (high, low) = (nibble(&row.coarse), nibble(&row.fine));
            if is_fine {
                let [g, h, _] = row.fine_constants.map(f64::from);
                g * h * f64::from(fine_level(i16::from(high << 4 | low)))
            } else {
                let [g, h, ..] = row.constants.map(f64::from);
                g * h * (2.0 * f64::from(high) - 15.0)
            }
        })
        .collect();
    let off = [0.0, 1e-5, -1e-5, 1e-4, 1e-3, -1e-3, 1e-2, 0.1][random.below(8)];
    let off = if random.below(2) == 0 { off } else { f64::from(random.uniform()) };
    let scale = [1.0, -1.0, 0.5, 1e-3, 7e2][random.below(5)];
    let of_center = [0.0, 0.0, 1.0, -1.0, 0.1][random.below(5)];
    let mut query: Vec<f64> =
        decoded.iter().zip(&rotated).map(|(&y, &x)| scale * (y + off * (f64::from(x) - y))).collect();
    if random.below(2) == 0 {
        // Whole multiples of something, which the query's quantisation keeps: what it would lose hides what rounding does.
        let largest = query.iter().fold(0f64, |largest, q| largest.max(q.abs()));
        let step = largest / if is_fine { 4095.0 } else { 127.0 };
        if step > 0.0 {
            query.iter_mut().for_each(|q| *q = (*q / step).round() * step);
        }
    }
    unrotation
        .apply(&query)
        .iter()
        .zip(center)
        .map(|(&q, &c)| (q + of_center * f64::from(c)) as f32)
        .collect()
}

/// The coarse key that a page with this row alone gives, and the keys of its best bounds.
fn keys(query: &mut Query, layout: &Layout, row: &EncodedRow) -> (i32, Interval) {
    let mut page = Box::new(AlignedPage([0; 8192]));
    ScanPageMut::init(&mut page.0, layout).put(0, row);
    let view = ScanPage::new(&page.0, layout).unwrap();
    let mut coarse = Vec::new();
    query.coarse_keys(&view, std::ptr::null(), &mut coarse);
    assert_eq!(query.coarse_key(&view, 0), coarse[0]);
    let fine = query.interval_of_state(view.state(0)).unwrap_or_else(|| {
        query.fine_interval(&Refined {
            constants: view.row_constants(0),
            fine_constants: row.fine_constants,
            coarse: view.coarse_code(0),
            fine: &row.fine,
        })
    });
    (coarse[0], fine)
}

/// A float32 sum of terms, whatever order somebody else's kernel adds them in: one after the other, the other way round, the
/// largest first (which loses most of the small ones), the smallest first, or by halves.
fn sum(terms: &[(f32, f32)], order: usize, is_fused: bool) -> f32 {
    let product = |&(x, y): &(f32, f32)| x * y;
    let mut terms = terms.to_vec();
    match order {
        0 => {}
        1 => terms.reverse(),
        2 => terms.sort_by(|a, b| product(b).abs().total_cmp(&product(a).abs())),
        3 => terms.sort_by(|a, b| product(a).abs().total_cmp(&product(b).abs())),
        _ => {
            let (left, right) = terms.split_at(terms.len() / 2);
            return if terms.len() < 2 {
                terms.iter().map(product).sum()
            } else {
                sum(left, order, is_fused) + sum(right, order, is_fused)
            };
        }
    }
    terms.iter().fold(0.0, |total, &(x, y)| if is_fused { x.mul_add(y, total) } else { total + x * y })
}

/// The bounds for operators of others hold for the values that such operators give.
fn check_others(
    metric: Metric,
    encoder: &Encoder,
    layout: &Layout,
    row: &EncodedRow,
    vector: &[f32],
    query_vector: &[f32],
    what: &str,
) {
    let mut query = Query::new(metric, encoder, Some(query_vector), any_order_error(vector.len()));
    let (coarse, fine) = keys(&mut query, layout, row);
    let pairs = |term: fn(f32, f32) -> (f32, f32)| -> Vec<(f32, f32)> {
        vector.iter().zip(query_vector).map(|(&x, &q)| term(x, q)).collect()
    };
    let products = pairs(|x, q| (x, q));
    let squares = pairs(|x, q| (x - q, x - q));
    let differences = pairs(|x, q| ((x - q).abs(), 1.0));
    let (own, query_own) = (pairs(|x, _| (x, x)), pairs(|_, q| (q, q)));
    for order in 0..5 {
        for is_fused in [false, true] {
            let sum = |terms: &[(f32, f32)]| f64::from(sum(terms, order, is_fused));
            let exact = match metric {
                Metric::L2 => sum(&squares).sqrt(),
                Metric::NegativeInnerProduct => -sum(&products),
                Metric::Cosine => {
                    1.0 - (sum(&products) / (sum(&own) * sum(&query_own)).sqrt()).clamp(-1.0, 1.0)
                }
                Metric::L1 => sum(&differences),
            };
            let place = |key| Place::of(query.distance(key));
            let value = Place::of(Some(exact));
            assert!(
                place(coarse) <= value && place(fine.least) <= value && value <= place(fine.most),
                "{metric:?}, {what}, order {order}, fused {is_fused}, {} dimensions: {:?}, {:?} … {:?} for {exact:e}\n{vector:?}\n{query_vector:?}",
                vector.len(),
                query.distance(coarse),
                query.distance(fine.least),
                query.distance(fine.most),
            );
        }
    }
}

/// Returns how far apart the best bounds are.
fn check(metric: Metric, encoder: &Encoder, vector: &[f32], query_vector: &[f32], what: &str) -> f64 {
    let layout = Layout::new(encoder.kind(), vector.len(), 0);
    let mut row = EncodedRow::new(vector.len());
    encoder.encode(Some(vector), &mut row);
    let exact = Kernels::best().distance(metric, vector, query_vector);
    let mut query = Query::new(metric, encoder, Some(query_vector), 0.0);
    let (coarse, fine) = keys(&mut query, &layout, &row);
    // As PostgreSQL orders float8; nothing that is not NULL is after NULL.
    let place = |key| Place::of(query.distance(key));
    let value = Place::of(Some(exact));
    for (level, holds) in [
        ("coarse", place(coarse) <= value),
        ("fine", place(fine.least) <= value),
        ("upper", value <= place(fine.most)),
    ] {
        assert!(
            holds,
            "{metric:?}, {what}, {level}, {} dimensions: {:e}, {:e} … {:e} for {exact:e}\n{vector:?}\n{query_vector:?}\ncentre {:?}",
            vector.len(),
            query.distance(coarse).unwrap(),
            query.distance(fine.least).unwrap(),
            query.distance(fine.most).unwrap_or(f64::INFINITY),
            encoder.center()
        );
    }
    // Every level of SIMD gives the same keys.
    for level in CodeLevel::ALL {
        if let Some(kernels) = CodeKernels::for_level(level) {
            let mut other = Query::new(metric, encoder, Some(query_vector), 0.0).with_kernels(kernels);
            assert_eq!(keys(&mut other, &layout, &row), (coarse, fine), "{} differs", level.name());
        }
    }
    encoder.verify(Some(vector), &mut row).unwrap();
    check_others(metric, encoder, &layout, &row, vector, query_vector, what);
    query.distance(fine.most).unwrap_or(f64::INFINITY) - query.distance(fine.least).unwrap()
}

fn dimensions() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..40, 4 => 40usize..600, 1 => Just(1536usize), 1 => Just(4096usize)]
}

fn search(cases: u32, dims: impl Strategy<Value = usize>) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner
        .run(&(dims, any::<u64>()), |(dim, seed)| {
            let mut random = Random(seed);
            let center = match random.below(3) {
                0 => vec![0.0; dim],
                1 => (0..dim).map(|_| random.normal()).collect(),
                _ => random.vector(dim),
            };
            let vector = random.vector(dim);
            let queries = [
                ("any", random.vector(dim)),
                ("relative", relative_of(&mut random, &vector)),
                ("itself", vector.clone()),
                ("centre", relative_of(&mut random, &center)),
                ("signs", signs(&mut random, &vector, &center)),
            ];
            let signs = signs(&mut random, &vector, &center);
            for metric in Metric::ALL {
                let encoder = Encoder::new(CodeKind::of(metric), center.clone());
                for (what, query) in &queries {
                    check(metric, &encoder, &vector, query, what);
                }
                check(metric, &encoder, &signs, &relative_of(&mut random, &signs), "signs");
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn no_bound_is_on_the_wrong_side() {
    search(1500, dimensions());
}

#[test]
fn no_bound_is_on_the_wrong_side_in_few_dimensions() {
    search(20_000, 1usize..6);
}

#[test]
fn no_bound_is_on_the_wrong_side_in_most_dimensions() {
    search(6, Just(MAX_DIM));
}

#[test]
fn no_bound_is_on_the_wrong_side_for_queries_nearly_parallel_to_the_code() {
    let mut random = Random(7);
    for dim in [1, 2, 3, 5, 16, 33, 100, 128] {
        let unrotation = Unrotation::new(dim);
        for _ in 0..4000 {
            let center = if random.below(2) == 0 {
                vec![0.0; dim]
            } else {
                (0..dim).map(|_| random.normal()).collect()
            };
            // After the rotation one dimension may be out of the code's range, and most of the residual.
            let mut rotated: Vec<f64> = (0..dim).map(|_| f64::from(random.normal())).collect();
            rotated[random.below(dim)] *= [1.0, 30.0, 100.0, 1e4][random.below(4)];
            let vector: Vec<f32> =
                unrotation.apply(&rotated).iter().zip(&center).map(|(&x, &c)| x as f32 + c).collect();
            let encoder = Encoder::new(CodeKind::Rotated, center);
            let query = nearly_parallel(&mut random, &encoder, &unrotation, &vector);
            for metric in [Metric::L2, Metric::NegativeInnerProduct, Metric::Cosine] {
                check(metric, &encoder, &vector, &query, "nearly parallel");
            }
        }
    }
}

/// Bounds that are of use: far better than Cauchy–Schwarz on ordinary data.
#[test]
fn bounds_are_tight_on_ordinary_vectors() {
    let mut random = Random(42);
    let dim = 384;
    let center = vec![0.0; dim];
    for metric in Metric::ALL {
        let encoder = Encoder::new(CodeKind::of(metric), center.clone());
        for _ in 0..50 {
            let vector: Vec<f32> = (0..dim).map(|_| random.normal()).collect();
            let query: Vec<f32> = (0..dim).map(|_| random.normal()).collect();
            let exact = Kernels::best().distance(metric, &vector, &query);
            let width = check(metric, &encoder, &vector, &query, "ordinary");
            let scale = match metric {
                Metric::NegativeInnerProduct => {
                    let norm = |v: &[f32]| Kernels::best().inner_product(v, v).sqrt();
                    norm(&vector) * norm(&query)
                }
                Metric::Cosine => 1.0,
                Metric::L2 | Metric::L1 => exact,
            };
            assert!(width < 0.06 * scale, "{metric:?}: {width} at {exact}");
        }
    }
}

/// A residual that is too small, which would make bounds wrong, is found.
#[test]
fn verify_finds_wrong_constants() {
    let mut random = Random(1);
    for kind in [CodeKind::Rotated, CodeKind::Taxicab] {
        for dim in [3, 64, 1000] {
            let center: Vec<f32> = (0..dim).map(|_| random.normal()).collect();
            let encoder = Encoder::new(kind, center);
            let vector: Vec<f32> = (0..dim).map(|_| random.normal()).collect();
            let mut row = EncodedRow::new(dim);
            encoder.encode(Some(&vector), &mut row);
            assert_eq!(row.state, RowState::Coded);
            for constant in 0..kind.constants() {
                let mut wrong = row.clone();
                wrong.constants[constant] = wrong.constants[constant] * 0.999 - 1e-6;
                assert!(encoder.verify(Some(&vector), &mut wrong).is_err(), "{kind:?}, constant {constant}");
            }
            for constant in 0..kind.fine_constants() {
                let mut wrong = row.clone();
                wrong.fine_constants[constant] = wrong.fine_constants[constant] * 0.999 - 1e-6;
                assert!(
                    encoder.verify(Some(&vector), &mut wrong).is_err(),
                    "{kind:?}, fine constant {constant}"
                );
            }
            let mut wrong = row.clone();
            wrong.coarse[0] ^= 0x0f;
            assert!(encoder.verify(Some(&vector), &mut wrong).is_err(), "{kind:?}, coarse code");
            let mut wrong = row.clone();
            wrong.state = RowState::Zero;
            assert!(encoder.verify(Some(&vector), &mut wrong).is_err(), "{kind:?}, state");
        }
    }
}

/// Found by the search: of the query, all but 10⁻⁴³ is along the centre. The scale of its weights underflowed, their error
/// was 0/0, and a maximum with 0 made an upper bound of that.
#[test]
fn a_query_along_the_centre_has_bounds() {
    let encoder = Encoder::new(CodeKind::Rotated, vec![-1.328_050_3e-23, -5_262_111_000_000.0]);
    let (vector, query) = ([-1.293_406_2, 1.293_798_4], [-1.328_050_5e-23, -5_262_110_000_000.0]);
    for metric in [Metric::L2, Metric::NegativeInnerProduct, Metric::Cosine] {
        assert!(check(metric, &encoder, &vector, &query, "along the centre").is_finite(), "{metric:?}");
    }
}

/// What is no number is no bound, on either side.
#[test]
fn constants_that_are_no_numbers_bound_nothing() {
    let any = Interval {
        least: Query::LEAST,
        most: Query::new(Metric::L2, &Encoder::new(CodeKind::Rotated, vec![0.0]), None, 0.0)
            .key_of_state(RowState::Coded)
            .unwrap(),
    };
    for metric in Metric::ALL {
        let kind = CodeKind::of(metric);
        let encoder = Encoder::new(kind, vec![0.5, 0.25]);
        let mut row = EncodedRow::new(2);
        encoder.encode(Some(&[1.0, 2.0]), &mut row);
        let mut query = Query::new(metric, &encoder, Some(&[2.0, 1.0]), 0.0);
        let mut interval = |constants, fine_constants| {
            query.fine_interval(&Refined { constants, fine_constants, coarse: &row.coarse, fine: &row.fine })
        };
        assert_ne!(interval(row.constants, row.fine_constants), any, "{metric:?}");
        for constant in 0..kind.fine_constants() {
            let mut wrong = row.fine_constants;
            wrong[constant] = f32::NAN;
            assert_eq!(interval(row.constants, wrong), any, "{metric:?}, fine constant {constant}");
        }
        // Nor does a query of which nothing can be said, as one of other dimensions, be it zero.
        for other in [[1.0, 2.0, 3.0], [0.0; 3]] {
            let mut unlike = Query::new(metric, &encoder, Some(&other), 0.0);
            let refined = Refined {
                constants: row.constants,
                fine_constants: row.fine_constants,
                coarse: &row.coarse,
                fine: &row.fine,
            };
            assert_eq!(unlike.fine_interval(&refined), any, "{metric:?}, {other:?}");
            for state in [RowState::Coded, RowState::Zero, RowState::Unbounded] {
                assert_eq!(unlike.interval_of_state(state), Some(any), "{metric:?}, {other:?}, {state:?}");
            }
        }
    }
}
