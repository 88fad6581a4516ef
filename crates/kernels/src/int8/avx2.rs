//! Products by AVX2, which multiplies bytes only by an instruction that saturates: so weights and tokens
//! are widened to 16 bits, those of even and of odd places apart, and pairs are multiplied.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_load_si256, _mm256_madd_epi16,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_srli_epi16, _mm256_storeu_si256,
};

use super::{GROUP, LANES, LINES, Line, PANEL, Rows, Weights};
use crate::simd::evenly;

/// Rows of a tile: four times two sums, a line's four vectors and a group's two fill the registers.
const TILE: usize = 4;

/// Fills `out` with `x Wᵀ + bias`.
#[target_feature(enable = "avx2,fma")]
pub(super) fn product(x: &Rows, weights: &Weights, bias: &[f32], out: &mut [f32]) {
    let wide: Vec<[i32; 2]> = (0..x.count()).flat_map(|row| x.row(row)).map(widen).collect();
    for (index, panel) in weights.panels().enumerate() {
        for rows in evenly(x.count(), TILE) {
            let part = &wide[rows.start * weights.groups..rows.end * weights.groups];
            for line in 0..LINES {
                let place = (weights, bias, index * PANEL + line * LANES);
                match rows.len() {
                    4 => tile::<4>(x, (part, rows.start), panel, line, place, out),
                    3 => tile::<3>(x, (part, rows.start), panel, line, place, out),
                    2 => tile::<2>(x, (part, rows.start), panel, line, place, out),
                    _ => tile::<1>(x, (part, rows.start), panel, line, place, out),
                }
            }
        }
    }
}

/// Returns a group as pairs of 16 bits: the first and the third number, the second and the fourth.
fn widen(four: &[i8; GROUP]) -> [i32; 2] {
    let pair = |low: i8, high: i8| i32::from(high) << 16 | i32::from(low) & 0xffff;
    [pair(four[0], four[2]), pair(four[1], four[3])]
}

/// Computes `R` rows of one of a panel's lines.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn tile<const R: usize>(
    x: &Rows,
    (wide, row): (&[[i32; 2]], usize),
    panel: &[Line],
    line: usize,
    place: (&Weights, &[f32], usize),
    out: &mut [f32],
) {
    let groups = panel.len() / LINES;
    // Loops rather than closures: those would not be compiled for the instructions that are there.
    let mut rows: [&[[i32; 2]]; R] = [&[]; R];
    let mut sums = [[_mm256_set1_epi32(0); 2]; R];
    for r in 0..R {
        rows[r] = &wide[r * groups..][..groups];
        sums[r] = [_mm256_set1_epi32(x.start(row + r)); 2];
    }
    let even_places = _mm256_set1_epi16(0xff);
    for (group, lines) in panel.as_chunks::<LINES>().0.iter().enumerate() {
        let halves = std::ptr::from_ref(&lines[line]).cast::<__m256i>();
        for half in 0..2 {
            // SAFETY: a line is two aligned halves.
            let bytes = unsafe { _mm256_load_si256(halves.add(half)) };
            let even = _mm256_and_si256(bytes, even_places);
            let odd = _mm256_srli_epi16::<8>(bytes);
            for r in 0..R {
                // SAFETY: each row has as many groups as the panel.
                let [first, second] = unsafe { *rows[r].get_unchecked(group) };
                let sum = _mm256_madd_epi16(even, _mm256_set1_epi32(first));
                let more = _mm256_madd_epi16(odd, _mm256_set1_epi32(second));
                sums[r][half] = _mm256_add_epi32(sums[r][half], _mm256_add_epi32(sum, more));
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        store(sums, x, row + r, place, out);
    }
}

/// Stores the sums of one row and one line, scaled and on top of the bias.
#[target_feature(enable = "avx2,fma")]
#[inline]
pub(super) fn store(
    sums: &[__m256i; 2],
    x: &Rows,
    row: usize,
    (weights, bias, first): (&Weights, &[f32], usize),
    out: &mut [f32],
) {
    let mut whole = [0_i32; LANES];
    for (to, sum) in whole.chunks_exact_mut(LANES / 2).zip(sums) {
        // SAFETY: half a line's lanes are one vector.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), *sum) };
    }
    let out = &mut out[row * weights.outputs..(row + 1) * weights.outputs];
    let Some(out) = out.get_mut(first..) else { return };
    let places = out.iter_mut().zip(&weights.scales[first..]).zip(&bias[first..]);
    for (sum, ((out, scale), bias)) in whole.iter().zip(places) {
        *out = (*sum as f32).mul_add(scale * x.scale(row), *bias);
    }
}
