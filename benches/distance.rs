//! The distance kernels: each level that this CPU has, in cache and out of it, against two yardsticks.
//!
//! * `scalar`: one multiplication and one addition after the other. Floating-point addition is not associative,
//!   so the compiler may not vectorise it.
//! * `read`: how fast one thread reads the same memory when it does as good as nothing with it.
//!
//! Run by `make bench`. Rows are visited in order, as a scan does, with one query in cache.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vera_vec_core::Metric;
use vera_vec_core::distance::{Kernels, SimdLevel};

/// Bytes of the data set that fits into no cache.
const OUT_OF_CACHE: usize = 512 << 20;

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

/// Reads every byte, with enough independent sums that only memory can be the limit.
fn read(data: &[f32]) -> u32 {
    let mut lanes = [0u32; 64];
    for chunk in data.chunks_exact(lanes.len()) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane ^= value.to_bits();
        }
    }
    lanes.iter().fold(0, |sum, lane| sum ^ lane)
}

fn vectors(dim: usize, rows: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..dim * rows)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(i16::from_ne_bytes(((state >> 16) as u16).to_ne_bytes())) / 32768.0
        })
        .collect()
}

fn bench(c: &mut Criterion) {
    for (place, dim, rows) in [
        ("in cache", 128, 1),
        ("in cache", 384, 1),
        ("in cache", 1536, 1),
        ("out of cache", 384, OUT_OF_CACHE / 4 / 384),
        ("out of cache", 1536, OUT_OF_CACHE / 4 / 1536),
    ] {
        let query = vectors(dim, 1);
        let data = vectors(dim, rows);
        let mut group = c.benchmark_group(format!("{dim} dimensions, {place}"));
        group.throughput(Throughput::Bytes((dim * rows * 4) as u64));
        if rows > 1 {
            group.sample_size(10);
            group.bench_function("read", |b| b.iter(|| read(black_box(&data))));
        }
        for metric in Metric::ALL {
            let mut run = |name: &str, distance: &dyn Fn(&[f32], &[f32]) -> f64| {
                group.bench_function(BenchmarkId::new(format!("{metric:?}"), name), |b| {
                    b.iter(|| {
                        data.chunks_exact(dim).map(|row| distance(black_box(&query), row)).fold(0.0, f64::max)
                    });
                });
            };
            if rows == 1 {
                run("scalar", &|a, b| scalar(metric, a, b));
            }
            for level in SimdLevel::ALL {
                if let Some(kernels) = Kernels::for_level(level) {
                    // A kernel that is fast and wrong is not worth timing.
                    let (got, expected) = (
                        kernels.distance(metric, &query, &data[..dim]),
                        scalar(metric, &query, &data[..dim]),
                    );
                    assert!((got - expected).abs() < 1e-3 * expected.abs().max(1.0), "{got} {expected}");
                    run(level.name(), &|a, b| kernels.distance(metric, a, b));
                }
            }
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
