//! Registers of aarch64.

use std::arch::aarch64::{
    float32x4_t, vabsq_f32, vaddq_f32, vdupq_n_f32, vld1q_f32, vmulq_f32, vst1q_f32, vsubq_f32,
};

use super::SimdLevel;
use super::kernels::{Load, Register, kernels};
use crate::element::f16;

/// A register of Advanced SIMD; only made where the CPU has it.
#[derive(Clone, Copy)]
struct Neon(float32x4_t);

impl Load<f32, 4> for Neon {
    #[inline(always)]
    unsafe fn load(from: &[f32; 4]) -> Self {
        // SAFETY: the caller has checked the CPU; as many numbers are there as are loaded.
        Self(unsafe { vld1q_f32(from.as_ptr()) })
    }
}

impl Load<f16, 4> for Neon {
    // Rust has no intrinsic for this conversion yet; the crate half has the instruction as assembly.
    #[inline(always)]
    unsafe fn load(from: &[f16; 4]) -> Self {
        let wide = from.map(f16::to_f32);
        // SAFETY: the caller has checked the CPU; as many numbers are there as are loaded.
        Self(unsafe { vld1q_f32(wide.as_ptr()) })
    }
}

impl Register<4> for Neon {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has checked the CPU.
        Self(unsafe { vdupq_n_f32(0.0) })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: self exists, so the CPU has Advanced SIMD.
        Self(unsafe { vaddq_f32(self.0, other.0) })
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: self exists, so the CPU has Advanced SIMD.
        Self(unsafe { vsubq_f32(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: self exists, so the CPU has Advanced SIMD.
        Self(unsafe { vmulq_f32(self.0, other.0) })
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: self exists, so the CPU has Advanced SIMD.
        Self(unsafe { vabsq_f32(self.0) })
    }
    #[inline(always)]
    fn fold(self) -> [f32; 4] {
        let mut lanes = [0.0; 4];
        // SAFETY: self exists, so the CPU has Advanced SIMD; there is room for as many numbers as are stored.
        unsafe { vst1q_f32(lanes.as_mut_ptr(), self.0) };
        lanes
    }
}

kernels!(NEON, SimdLevel::Neon, Neon, 4, cosine Neon, 4, "neon", half "neon");
