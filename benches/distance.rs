//! The distance kernels on vectors that are in cache: each level that this CPU has, against a scalar loop.
//!
//! The scalar loop does one multiplication and one addition after the other. Floating-point addition is not
//! associative, so the compiler may not vectorise it. Run by `make bench`; benches/bandwidth.rs has what is out of cache.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use vera_vec_core::Metric;
use vera_vec_core::distance::{Kernels, SimdLevel};

fn scalar(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let pairs = a.iter().zip(b);
    match metric {
        Metric::L2 => f64::from(pairs.fold(0.0f32, |s, (x, y)| s + (x - y) * (x - y)).sqrt()),
        Metric::NegativeInnerProduct => -f64::from(pairs.fold(0.0f32, |s, (x, y)| s + x * y)),
        Metric::L1 => f64::from(pairs.fold(0.0f32, |s, (x, y)| s + (x - y).abs())),
        Metric::Cosine => {
            let (dot, a_sq, b_sq) =
                pairs.fold((0.0f32, 0.0f32, 0.0f32), |(d, a, b), (x, y)| (d + x * y, a + x * x, b + y * y));
            1.0 - f64::from(dot) / (f64::from(a_sq) * f64::from(b_sq)).sqrt()
        }
    }
}

fn vector(dim: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    (0..dim)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(((state >> 16) as u16).cast_signed()) / 32768.0
        })
        .collect()
}

fn bench(c: &mut Criterion) {
    for dim in [128, 384, 768, 1536] {
        let (a, b) = (vector(dim, 1), vector(dim, 2));
        let mut group = c.benchmark_group(format!("{dim}"));
        for metric in Metric::ALL {
            let expected = scalar(metric, &a, &b);
            group.bench_function(BenchmarkId::new(format!("{metric:?}"), "scalar"), |bencher| {
                bencher.iter(|| scalar(metric, black_box(&a), black_box(&b)));
            });
            for kernels in SimdLevel::ALL.into_iter().filter_map(Kernels::for_level) {
                // A kernel that is fast and wrong is not worth timing.
                let got = kernels.distance(metric, &a, &b);
                assert!((got - expected).abs() < 1e-3 * expected.abs().max(1.0), "{got} {expected}");
                group.bench_function(
                    BenchmarkId::new(format!("{metric:?}"), kernels.level().name()),
                    |bencher| {
                        bencher.iter(|| kernels.distance(metric, black_box(&a), black_box(&b)));
                    },
                );
            }
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
