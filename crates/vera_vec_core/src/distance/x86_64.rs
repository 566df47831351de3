//! Registers of x86-64.

use std::arch::x86_64::{
    __m256, __m512, _mm_add_ps, _mm_loadu_si128, _mm_storeu_ps, _mm256_add_ps, _mm256_andnot_ps,
    _mm256_castpd_ps, _mm256_castps256_ps128, _mm256_cvtph_ps, _mm256_extractf128_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_sub_ps, _mm512_abs_ps,
    _mm512_add_ps, _mm512_castps_pd, _mm512_castps512_ps256, _mm512_cvtph_ps, _mm512_extractf64x4_pd,
    _mm512_loadu_ps, _mm512_mul_ps, _mm512_setzero_ps, _mm512_sub_ps,
};

use super::SimdLevel;
use super::kernels::{Load, Register, kernels};
use crate::element::f16;

/// A register of AVX2; only made where the CPU has it.
#[derive(Clone, Copy)]
struct Avx2(__m256);

impl Load<f32, 8> for Avx2 {
    #[inline(always)]
    unsafe fn load(from: &[f32; 8]) -> Self {
        // SAFETY: the caller has checked the CPU; as many numbers are there as are loaded.
        Self(unsafe { _mm256_loadu_ps(from.as_ptr()) })
    }
}

impl Load<f16, 8> for Avx2 {
    #[inline(always)]
    unsafe fn load(from: &[f16; 8]) -> Self {
        // SAFETY: the caller has checked the CPU; as many numbers are there as are loaded.
        Self(unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast())) })
    }
}

impl Register<8> for Avx2 {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has checked the CPU.
        Self(unsafe { _mm256_setzero_ps() })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: self exists, so the CPU has AVX2.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: self exists, so the CPU has AVX2.
        Self(unsafe { _mm256_sub_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: self exists, so the CPU has AVX2.
        Self(unsafe { _mm256_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: self exists, so the CPU has AVX2.
        Self(unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0) })
    }
    #[inline(always)]
    fn fold(self) -> [f32; 4] {
        let mut lanes = [0.0; 4];
        // SAFETY: self exists, so the CPU has AVX2; there is room for as many numbers as are stored.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            _mm_storeu_ps(lanes.as_mut_ptr(), four);
        }
        lanes
    }
}

/// A register of AVX-512F; only made where the CPU has it.
#[derive(Clone, Copy)]
struct Avx512(__m512);

impl Load<f32, 16> for Avx512 {
    #[inline(always)]
    unsafe fn load(from: &[f32; 16]) -> Self {
        // SAFETY: the caller has checked the CPU; as many numbers are there as are loaded.
        Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
    }
}

impl Load<f16, 16> for Avx512 {
    #[inline(always)]
    unsafe fn load(from: &[f16; 16]) -> Self {
        // SAFETY: the caller has checked the CPU; as many numbers are there as are loaded.
        Self(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())) })
    }
}

impl Register<16> for Avx512 {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has checked the CPU.
        Self(unsafe { _mm512_setzero_ps() })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: self exists, so the CPU has AVX-512F.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: self exists, so the CPU has AVX-512F.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: self exists, so the CPU has AVX-512F.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: self exists, so the CPU has AVX-512F.
        Self(unsafe { _mm512_abs_ps(self.0) })
    }
    #[inline(always)]
    fn fold(self) -> [f32; 4] {
        // SAFETY: self exists, so the CPU has AVX-512F, and with it AVX2.
        let eight = unsafe {
            let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0)));
            Avx2(_mm256_add_ps(_mm512_castps512_ps256(self.0), high))
        };
        eight.fold()
    }
}

kernels!(AVX2, SimdLevel::Avx2, Avx2, 8, cosine Avx2, 8, "avx2", half "avx2,f16c");
// Three sums leave two chains of additions each to registers of 16 lanes: out of cache they take 1.3 times as long as
// reading the memory does, those of 8 lanes 1.2 times.
kernels!(AVX512, SimdLevel::Avx512, Avx512, 16, cosine Avx2, 8, "avx512f", half "avx512f,f16c");
