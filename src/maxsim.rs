//! `maxsim`: likeness of two texts that have a vector for each of their words (late interaction).

use pgrx::prelude::*;
use pgrx::{FromDatum, check_for_interrupts};
use vera_vec_core::distance::Kernels;
use vera_vec_core::element::f16;
use vera_vec_core::{Element, element};

use crate::error::OrReport;
use crate::types::{ArrayArg, Vector};

/// Σᵢ maxⱼ ⟨qᵢ, dⱼ⟩: of each vector of the query the greatest inner product with one of the document, added up.
///
/// Inner products are those of the operator `<#>`, with its error
/// ([`RELATIVE_ERROR`](vera_vec_core::distance::RELATIVE_ERROR) of the product of the norms, each); they are added in
/// float64. 0 for a query without vectors; None for a document without any, which nothing can be the greatest of.
///
/// Source: O. Khattab, M. Zaharia, ColBERT: Efficient and Effective Passage Search via Contextualized Late Interaction
/// over BERT, SIGIR 2020, equation 3.
fn maxsim<E: Element>(query: &[Vector<'_, E>], document: &[Vector<'_, E>]) -> Option<f64> {
    let mut sum = 0.0;
    for q in query {
        check_for_interrupts!();
        let mut greatest: Option<f64> = None;
        for d in document {
            element::check_same_dim(q, d).or_report();
            let product = Kernels::best().inner_product::<E>(q, d);
            // NaN, of products that overflow, is the greatest of numbers, as PostgreSQL orders them.
            greatest = match greatest {
                Some(greatest) if greatest.is_nan() || greatest >= product => Some(greatest),
                _ => Some(product),
            };
        }
        sum += greatest?;
    }
    Some(sum)
}

/// The vectors of an array of vectors with elements `E`.
fn vectors<'a, E: Element>(array: &'a ArrayArg<'_>) -> Vec<Vector<'a, E>> {
    // SAFETY: elements are varlenas of that type, aligned as an int4, and stay where they are as long as the array.
    array.varlenas().iter().filter_map(|&datum| unsafe { Vector::from_datum(datum, false) }).collect()
}

macro_rules! functions {
    ($name:ident, $element:ty) => {
        pastey::paste! {
            #[pg_extern(sql = false)]
            fn [<$name _maxsim>](query: ArrayArg<'_>, document: ArrayArg<'_>) -> Option<f64> {
                maxsim::<$element>(&vectors(&query), &vectors(&document))
            }
        }
    };
}

functions!(veravec, f32);
functions!(verahalfvec, f16);
