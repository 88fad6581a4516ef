//! Products by AVX-VNNI: the same instruction on vectors half as long.

use std::arch::x86_64::{__m256i, _mm256_dpbusd_avx_epi32, _mm256_load_si256, _mm256_set1_epi32};

use super::{GROUP, LANES, LINES, Line, PANEL, Rows, Weights, avx2::store};
use crate::simd::evenly;

/// Rows of a tile: six times two sums, a line of weights and a repeated group fill the registers.
const TILE: usize = 6;

/// Fills `out` with `x Wᵀ + bias`.
#[target_feature(enable = "avx2,fma,avxvnni")]
pub(super) fn product(x: &Rows, weights: &Weights, bias: &[f32], out: &mut [f32]) {
    for (index, panel) in weights.panels().enumerate() {
        for rows in evenly(x.count(), TILE) {
            for line in 0..LINES {
                let first = index * PANEL + line * LANES;
                match rows.len() {
                    6 => tile::<6>(x, rows.start, panel, line, (weights, bias, first), out),
                    5 => tile::<5>(x, rows.start, panel, line, (weights, bias, first), out),
                    4 => tile::<4>(x, rows.start, panel, line, (weights, bias, first), out),
                    3 => tile::<3>(x, rows.start, panel, line, (weights, bias, first), out),
                    2 => tile::<2>(x, rows.start, panel, line, (weights, bias, first), out),
                    _ => tile::<1>(x, rows.start, panel, line, (weights, bias, first), out),
                }
            }
        }
    }
}

/// Computes `R` rows of one of a panel's lines.
#[target_feature(enable = "avx2,fma,avxvnni")]
#[inline]
fn tile<const R: usize>(
    x: &Rows,
    row: usize,
    panel: &[Line],
    line: usize,
    place: (&Weights, &[f32], usize),
    out: &mut [f32],
) {
    // Loops rather than closures: those would not be compiled for the instructions that are there.
    let mut rows: [&[[i8; GROUP]]; R] = [&[]; R];
    let mut sums = [[_mm256_set1_epi32(0); 2]; R];
    for r in 0..R {
        rows[r] = x.row(row + r);
        sums[r] = [_mm256_set1_epi32(x.start(row + r)); 2];
    }
    for (group, lines) in panel.as_chunks::<LINES>().0.iter().enumerate() {
        let halves = std::ptr::from_ref(&lines[line]).cast::<__m256i>();
        // SAFETY: a line is two aligned halves.
        let weights = unsafe { [_mm256_load_si256(halves), _mm256_load_si256(halves.add(1))] };
        for r in 0..R {
            // SAFETY: each row has as many groups as the panel.
            let four = unsafe { *rows[r].get_unchecked(group) };
            let four = _mm256_set1_epi32(i32::from_ne_bytes(four.map(i8::cast_unsigned)));
            for half in 0..2 {
                sums[r][half] = _mm256_dpbusd_avx_epi32(sums[r][half], weights[half], four);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        store(sums, x, row + r, place, out);
    }
}
