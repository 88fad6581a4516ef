//! Products by AVX-512 VNNI.

use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T1, _mm_prefetch, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32,
    _mm512_fmadd_ps, _mm512_load_si512, _mm512_loadu_ps, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps,
};

use super::{GROUP, LANES, LINES, Line, PANEL, Rows, Weights};
use crate::simd::evenly;

/// Rows of a tile: six times four sums, the weights and a repeated group fill the registers.
const TILE: usize = 6;

/// Fills `out` with `x Wᵀ + bias`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn product(x: &Rows, weights: &Weights, bias: &[f32], out: &mut [f32]) {
    let panel_lines = weights.groups * LINES;
    let tile_count = x.count().div_ceil(TILE);
    for (index, panel) in weights.panels().enumerate() {
        let first = index * PANEL;
        let strip = Strip {
            panel,
            scales: &weights.scales[first..][..PANEL],
            bias: &bias[first..],
            first,
            outputs: weights.outputs,
        };
        let next = weights.lines.as_slice().get((index + 1) * panel_lines..).unwrap_or(&[]);
        let next = &next[..panel_lines.min(next.len())];
        for (at, rows) in evenly(x.count(), TILE).enumerate() {
            // Every tile fetches its share of the next panel.
            let ahead = &next[at * next.len() / tile_count..(at + 1) * next.len() / tile_count];
            match rows.len() {
                6 => tile::<6>(x, rows.start, &strip, ahead, out),
                5 => tile::<5>(x, rows.start, &strip, ahead, out),
                4 => tile::<4>(x, rows.start, &strip, ahead, out),
                3 => tile::<3>(x, rows.start, &strip, ahead, out),
                2 => tile::<2>(x, rows.start, &strip, ahead, out),
                _ => tile::<1>(x, rows.start, &strip, ahead, out),
            }
        }
    }
}

/// The outputs of one panel.
struct Strip<'a> {
    panel: &'a [Line],
    scales: &'a [f32],
    /// From the first output of the panel on.
    bias: &'a [f32],
    first: usize,
    outputs: usize,
}

/// Computes `R` rows of one strip.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
fn tile<const R: usize>(x: &Rows, row: usize, strip: &Strip<'_>, ahead: &[Line], out: &mut [f32]) {
    // Loops rather than closures: those would not be compiled for the instructions that are there.
    let mut rows: [&[[i8; GROUP]]; R] = [&[]; R];
    let mut sums = [[_mm512_set1_epi32(0); LINES]; R];
    for r in 0..R {
        rows[r] = x.row(row + r);
        sums[r] = [_mm512_set1_epi32(x.start(row + r)); LINES];
    }
    let groups = strip.panel.len() / LINES;
    let ahead_each = ahead.len().div_ceil(groups);
    let mut fetch = ahead.as_ptr();
    for (group, lines) in strip.panel.as_chunks::<LINES>().0.iter().enumerate() {
        for _ in 0..ahead_each {
            _mm_prefetch::<_MM_HINT_T1>(fetch.cast());
            fetch = fetch.wrapping_add(1);
        }
        let weights = [load(&lines[0]), load(&lines[1]), load(&lines[2]), load(&lines[3])];
        for r in 0..R {
            // SAFETY: each row has as many groups as the panel.
            let four = unsafe { *rows[r].get_unchecked(group) };
            let four = _mm512_set1_epi32(i32::from_ne_bytes(four.map(i8::cast_unsigned)));
            for v in 0..LINES {
                sums[r][v] = _mm512_dpbusd_epi32(sums[r][v], weights[v], four);
            }
        }
    }
    for v in 0..LINES {
        let bias = strip.bias.get(v * LANES..).unwrap_or(&[]);
        let mask = mask(bias.len());
        // SAFETY: scales are whole panels; the mask holds the other load within the slice.
        let (scales, bias): (__m512, __m512) = unsafe {
            (
                _mm512_loadu_ps(strip.scales[v * LANES..][..LANES].as_ptr()),
                _mm512_maskz_loadu_ps(mask, bias.as_ptr()),
            )
        };
        for r in 0..R {
            let scale = _mm512_mul_ps(scales, _mm512_set1_ps(x.scale(row + r)));
            let y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[r][v]), scale, bias);
            let at = (row + r) * strip.outputs + strip.first;
            let to = &mut out[at..(row + r + 1) * strip.outputs];
            // SAFETY: the mask holds the store within the row.
            unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr().wrapping_add(v * LANES), mask, y) };
        }
    }
}

/// Returns the mask of the lanes below `len`.
fn mask(len: usize) -> u16 {
    if len < LANES { (1 << len) - 1 } else { u16::MAX }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(line: &Line) -> __m512i {
    // SAFETY: a line is 64 bytes, aligned.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}
