//! The distance functions, which the operators `<->`, `<#>`, `<=>` and `<+>` call.

use pgrx::prelude::*;
use vera_vec_core::distance::Kernels;
use vera_vec_core::{Metric, element};

use crate::error::OrReport;
use crate::types::Veravec;

fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    element::check_same_dim(a, b).or_report();
    Kernels::best().distance(metric, a, b)
}

#[pg_extern(sql = false)]
fn veravec_l2_distance(a: Veravec<'_>, b: Veravec<'_>) -> f64 {
    distance(Metric::L2, &a, &b)
}

#[pg_extern(sql = false)]
fn veravec_negative_inner_product(a: Veravec<'_>, b: Veravec<'_>) -> f64 {
    distance(Metric::NegativeInnerProduct, &a, &b)
}

#[pg_extern(sql = false)]
fn veravec_cosine_distance(a: Veravec<'_>, b: Veravec<'_>) -> f64 {
    distance(Metric::Cosine, &a, &b)
}

#[pg_extern(sql = false)]
fn veravec_l1_distance(a: Veravec<'_>, b: Veravec<'_>) -> f64 {
    distance(Metric::L1, &a, &b)
}

#[pg_extern(sql = false)]
fn veravec_inner_product(a: Veravec<'_>, b: Veravec<'_>) -> f64 {
    element::check_same_dim(&a, &b).or_report();
    Kernels::best().inner_product(&a, &b)
}

#[pg_extern(sql = false)]
fn veravec_l2_squared_distance(a: Veravec<'_>, b: Veravec<'_>) -> f64 {
    element::check_same_dim(&a, &b).or_report();
    Kernels::best().l2_sq(&a, &b)
}
