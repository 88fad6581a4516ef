//! Sixteen numbers in two registers of AVX2.
//!
//! [`Vector256`] is made only within functions that [`super::dispatch`] compiles for AVX2 and FMA and calls
//! where the processor has them; that is why every `unsafe` here is sound. All is inlined into them.

use std::arch::x86_64::{
    __m256, _CMP_GT_OQ, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_max_ps, _mm_max_ss,
    _mm_movehdup_ps, _mm_movehl_ps, _mm256_add_epi32, _mm256_add_ps, _mm256_blendv_ps,
    _mm256_castps_si256, _mm256_castps256_ps128, _mm256_castsi256_ps, _mm256_cmp_ps,
    _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_mul_ps,
    _mm256_permute2f128_ps, _mm256_set1_ps, _mm256_setr_ps, _mm256_shuffle_ps, _mm256_slli_epi32,
    _mm256_storeu_ps, _mm256_sub_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

use super::{LANES, vector::Vector};

/// Two registers.
#[derive(Clone, Copy)]
pub(crate) struct Vector256([__m256; 2]);

impl Vector for Vector256 {
    const ROOMY: bool = false;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: as the file says.
        Self([unsafe { _mm256_set1_ps(x) }; 2])
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        // SAFETY: as the file says; sixteen numbers lie there.
        unsafe { Self([_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))]) }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        // SAFETY: as the file says; there is room for sixteen numbers.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), self.0[0]);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), self.0[1]);
        }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: as the file says.
        unsafe {
            Self([
                _mm256_fmadd_ps(self.0[0], b.0[0], c.0[0]),
                _mm256_fmadd_ps(self.0[1], b.0[1], c.0[1]),
            ])
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as the file says.
        unsafe {
            Self([_mm256_add_ps(self.0[0], other.0[0]), _mm256_add_ps(self.0[1], other.0[1])])
        }
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as the file says.
        unsafe {
            Self([_mm256_sub_ps(self.0[0], other.0[0]), _mm256_sub_ps(self.0[1], other.0[1])])
        }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: as the file says.
        unsafe {
            Self([_mm256_mul_ps(self.0[0], other.0[0]), _mm256_mul_ps(self.0[1], other.0[1])])
        }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: as the file says.
        unsafe {
            Self([_mm256_max_ps(self.0[0], other.0[0]), _mm256_max_ps(self.0[1], other.0[1])])
        }
    }

    #[inline(always)]
    fn times_power(self, by: Self) -> Self {
        // SAFETY: as the file says.
        unsafe {
            let mut out = self.0;
            for half in 0..2 {
                let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(by.0[half]));
                let sum = _mm256_add_epi32(exponent, _mm256_castps_si256(self.0[half]));
                out[half] = _mm256_castsi256_ps(sum);
            }
            Self(out)
        }
    }

    #[inline(always)]
    fn keep(self, count: usize, other: Self) -> Self {
        // SAFETY: as the file says.
        unsafe {
            let places = _mm256_setr_ps(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0);
            let low = _mm256_cmp_ps::<_CMP_GT_OQ>(_mm256_set1_ps(count as f32), places);
            let high = _mm256_cmp_ps::<_CMP_GT_OQ>(_mm256_set1_ps(count as f32 - 8.0), places);
            Self([
                _mm256_blendv_ps(other.0[0], self.0[0], low),
                _mm256_blendv_ps(other.0[1], self.0[1], high),
            ])
        }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: as the file says.
        unsafe {
            let eight = _mm256_add_ps(self.0[0], self.0[1]);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: as the file says.
        unsafe {
            let eight = _mm256_max_ps(self.0[0], self.0[1]);
            let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    fn transpose(square: &mut [Self; LANES]) {
        // Quarters of eight by eight; those off the diagonal change places.
        for half in 0..2 {
            for other in 0..=half {
                let mut below = [square[0].0[0]; 8];
                let mut above = below;
                for k in 0..8 {
                    below[k] = square[half * 8 + k].0[other];
                    above[k] = square[other * 8 + k].0[half];
                }
                let (below, above) = (transpose_eight(below), transpose_eight(above));
                for k in 0..8 {
                    square[half * 8 + k].0[other] = above[k];
                    square[other * 8 + k].0[half] = below[k];
                }
            }
        }
    }
}

#[inline(always)]
fn transpose_eight(rows: [__m256; 8]) -> [__m256; 8] {
    let mut fours = rows;
    // Within each 128 bits first: four rows become four columns.
    for first in [0, 4] {
        let [a, b, c, d] = [rows[first], rows[first + 1], rows[first + 2], rows[first + 3]];
        // SAFETY: as the file says.
        unsafe {
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            fours[first] = _mm256_shuffle_ps::<0x44>(ab, cd);
            fours[first + 1] = _mm256_shuffle_ps::<0xee>(ab, cd);
            fours[first + 2] = _mm256_shuffle_ps::<0x44>(ab_high, cd_high);
            fours[first + 3] = _mm256_shuffle_ps::<0xee>(ab_high, cd_high);
        }
    }
    let mut columns = fours;
    for k in 0..4 {
        // SAFETY: as the file says.
        unsafe {
            columns[k] = _mm256_permute2f128_ps::<0x20>(fours[k], fours[k + 4]);
            columns[k + 4] = _mm256_permute2f128_ps::<0x31>(fours[k], fours[k + 4]);
        }
    }
    columns
}
