//! The distance kernels on data that fit into no cache, against reading the same memory and doing nothing with it.
//!
//! Rows are visited in order, as a scan does, with one query in cache. Contenders take turns within each round, so
//! that a machine that slows down slows all of them; the table has medians. Rows start 16 bytes off a cache line, as
//! in a heap page they would. Run by `make bench`; the first argument is a CSV file to write.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use vera_vec_core::Metric;
use vera_vec_core::distance::{Kernels, SimdLevel};

/// Bytes of the data.
const SIZE: usize = 512 << 20;
const ROUNDS: usize = 11;

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

fn milliseconds<T>(run: impl FnOnce() -> T) -> f64 {
    let started = Instant::now();
    black_box(run());
    started.elapsed().as_secs_f64() * 1e3
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let levels: Vec<_> = SimdLevel::ALL.into_iter().filter_map(Kernels::for_level).collect();
    let mut csv = String::from("dimensions,metric,level,ms,times_of_reading_memory\n");
    for dim in [384, 1536] {
        let count = SIZE / size_of::<f32>() / dim * dim;
        let buffer: Vec<f32> = (0..count + 32).map(|i| (i * 7919 % 1000) as f32 / 1000.0 - 0.5).collect();
        let aligned = buffer.as_ptr().align_offset(64);
        let data = &buffer[aligned + 4..][..count];
        let query = data[..dim].to_vec();
        for metric in Metric::ALL {
            let mut reads = Vec::new();
            let mut times = vec![Vec::new(); levels.len()];
            for _ in 0..ROUNDS {
                reads.push(milliseconds(|| read(black_box(data))));
                for (times, kernels) in times.iter_mut().zip(&levels) {
                    times.push(milliseconds(|| {
                        data.chunks_exact(dim)
                            .map(|row| kernels.distance(metric, black_box(&query), row))
                            .fold(0.0, f64::max)
                    }));
                }
            }
            let read = median(&mut reads);
            print!("{dim:5} dimensions  {:22} read {read:6.1} ms", format!("{metric:?}"));
            for (times, kernels) in times.iter_mut().zip(&levels) {
                let (time, level) = (median(times), kernels.level().name());
                print!("  {level} {time:6.1} ms x {:.2}", time / read);
                let _ = writeln!(csv, "{dim},{metric:?},{level},{time:.2},{:.3}", time / read);
            }
            println!();
        }
    }
    // cargo passes --bench; a file is whatever else there is.
    if let Some(file) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) {
        std::fs::write(&file, csv).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}
