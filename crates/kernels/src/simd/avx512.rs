//! Sixteen numbers in one register of AVX-512.
//!
//! [`Vector512`] is made only within functions that [`super::dispatch`] compiles for AVX-512 and calls
//! where the processor has it; that is why every `unsafe` here is sound. All is inlined into them.

use std::arch::x86_64::{
    __m512, _mm512_add_epi32, _mm512_add_ps, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_blend_ps, _mm512_max_ps, _mm512_mul_ps,
    _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_set1_ps, _mm512_shuffle_f32x4,
    _mm512_shuffle_ps, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_sub_ps, _mm512_unpackhi_ps,
    _mm512_unpacklo_ps,
};

use super::{LANES, vector::Vector};

/// One register.
#[derive(Clone, Copy)]
pub(crate) struct Vector512(__m512);

impl Vector for Vector512 {
    const ROOMY: bool = true;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: as the file says.
        Self(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        // SAFETY: as the file says; sixteen numbers lie there.
        Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        // SAFETY: as the file says; there is room for sixteen numbers.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: as the file says.
        Self(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as the file says.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as the file says.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: as the file says.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: as the file says.
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn times_power(self, by: Self) -> Self {
        // SAFETY: as the file says.
        Self(unsafe {
            let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(by.0));
            _mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_castps_si512(self.0)))
        })
    }

    #[inline(always)]
    fn keep(self, count: usize, other: Self) -> Self {
        let mask = if count < LANES { (1 << count) - 1 } else { u16::MAX };
        // SAFETY: as the file says.
        Self(unsafe { _mm512_mask_blend_ps(mask, other.0, self.0) })
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: as the file says.
        unsafe { _mm512_reduce_add_ps(self.0) }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: as the file says.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }

    #[inline(always)]
    fn transpose(square: &mut [Self; LANES]) {
        // Within each 128 bits first: four rows become four columns.
        for four in square.as_chunks_mut::<4>().0 {
            let [a, b, c, d] = four.map(|row| row.0);
            // SAFETY: as the file says.
            *four = unsafe {
                let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
                let (ab_high, cd_high) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
                [
                    Self(_mm512_shuffle_ps::<0x44>(ab, cd)),
                    Self(_mm512_shuffle_ps::<0xee>(ab, cd)),
                    Self(_mm512_shuffle_ps::<0x44>(ab_high, cd_high)),
                    Self(_mm512_shuffle_ps::<0xee>(ab_high, cd_high)),
                ]
            };
        }
        // Then the parts of 128 bits, as if each were one number.
        let rows = *square;
        for k in 0..4 {
            let [a, b, c, d] = [rows[k].0, rows[4 + k].0, rows[8 + k].0, rows[12 + k].0];
            // SAFETY: as the file says.
            unsafe {
                let (ab, cd) =
                    (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d));
                square[k] = Self(_mm512_shuffle_f32x4::<0x88>(ab, cd));
                square[8 + k] = Self(_mm512_shuffle_f32x4::<0xdd>(ab, cd));
                let (ab, cd) =
                    (_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(c, d));
                square[4 + k] = Self(_mm512_shuffle_f32x4::<0x88>(ab, cd));
                square[12 + k] = Self(_mm512_shuffle_f32x4::<0xdd>(ab, cd));
            }
        }
    }
}
