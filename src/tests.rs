//! Tests that need a backend and the Rust side of it at once. What SQL alone can show is in tests/.

#![allow(clippy::unwrap_used)] // in a test

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use super::*;

    #[pg_test]
    fn simd_level_is_the_best_of_this_cpu() {
        let level: Option<String> = Spi::get_one("SELECT vera_vec_simd_level()").unwrap();
        assert_eq!(level.as_deref(), Some(vera_vec_core::distance::Kernels::best().level().name()));
    }
}
