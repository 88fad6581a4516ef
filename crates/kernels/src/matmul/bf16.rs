//! Products of bf16 operands by AVX-512 BF16.
//!
//! `vdpbf16ps` adds two products to each of sixteen sums, so both sides are laid out in pairs along the
//! dimension that is summed over: [`Rows`] row by row, [`Panels`] in strips of 64 columns whose pairs
//! lie side by side.

use std::mem::MaybeUninit;

use std::arch::x86_64::{
    __m256i, __m512, __m512bh, __m512i, _mm256_storeu_si256, _mm512_cvtneps_pbh, _mm512_dpbf16_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_set1_epi32, _mm512_setzero_ps,
};

use crate::simd::LANES;

/// Columns of a panel: four vectors.
const PANEL: usize = 4 * LANES;
/// Rows of a tile: six times four sums fill the registers.
const TILE: usize = 6;

/// The left side of a product: rows of pairs.
pub(super) struct Rows {
    rows: usize,
    /// Pairs of a row; the last is filled up with zero.
    pairs: usize,
    data: Vec<u32>,
}

/// The right side of a product, in strips of [`PANEL`] columns, filled up with zeros.
#[derive(Clone, Debug)]
pub(super) struct Panels {
    columns: usize,
    pairs: usize,
    data: Vec<u32>,
}

impl Rows {
    /// Takes rows of `width` numbers, to be summed along the row.
    pub(super) fn of_rows(x: &[f32], width: usize) -> Self {
        let (rows, pairs) = (x.len() / width, width.div_ceil(2));
        let mut data = vec![0; rows * pairs];
        for (row, out) in x.chunks_exact(width).zip(data.chunks_exact_mut(pairs)) {
            pairs_along(row, out);
        }
        Self { rows, pairs, data }
    }

    /// Takes the columns of rows of `width` numbers, to be summed along the column.
    pub(super) fn of_columns(x: &[f32], width: usize) -> Self {
        let height = x.len() / width;
        let pairs = height.div_ceil(2);
        let mut data = vec![0; width * pairs];
        // Sixteen pairs of rows at a time, so that a column's part is one cache line.
        for first in (0..pairs).step_by(LANES) {
            let last = (first + LANES).min(pairs);
            let mut part = [0_u32; LANES * 256];
            for start in (0..width).step_by(256) {
                let end = (start + 256).min(width);
                for pair in first..last {
                    let row = |at: usize| x.get(at * width + start..at * width + end);
                    let out = &mut part[(pair - first) * 256..][..end - start];
                    pairs_across(row(2 * pair).unwrap_or(&[]), row(2 * pair + 1), out);
                }
                for column in start..end {
                    let out = &mut data[column * pairs + first..column * pairs + last];
                    for (pair, out) in out.iter_mut().enumerate() {
                        *out = part[pair * 256 + column - start];
                    }
                }
            }
        }
        Self { rows: width, pairs, data }
    }
}

impl Panels {
    /// Takes rows of `width` numbers as columns, to be summed along the row: a transposed matrix.
    pub(super) fn of_rows(x: &[f32], width: usize) -> Self {
        let (columns, pairs) = (x.len() / width, width.div_ceil(2));
        let mut data = vec![0; columns.div_ceil(PANEL) * PANEL * pairs];
        let mut one = vec![0; pairs];
        for (column, row) in x.chunks_exact(width).enumerate() {
            pairs_along(row, &mut one);
            let start = column / PANEL * PANEL * pairs + column % PANEL;
            for (pair, value) in one.iter().enumerate() {
                data[start + pair * PANEL] = *value;
            }
        }
        Self { columns, pairs, data }
    }

    /// Takes rows of `width` numbers, to be summed along the column.
    pub(super) fn of_columns(x: &[f32], width: usize) -> Self {
        let height = x.len() / width;
        let pairs = height.div_ceil(2);
        let mut data = vec![0; width.div_ceil(PANEL) * PANEL * pairs];
        for (strip, panel) in data.chunks_exact_mut((PANEL * pairs).max(1)).enumerate() {
            let (start, end) = (strip * PANEL, ((strip + 1) * PANEL).min(width));
            for (pair, out) in panel.chunks_exact_mut(PANEL).enumerate() {
                let row = |at: usize| x.get(at * width + start..at * width + end);
                let out = &mut out[..end - start];
                pairs_across(row(2 * pair).unwrap_or(&[]), row(2 * pair + 1), out);
            }
        }
        Self { columns: width, pairs, data }
    }
}

/// Returns the product of `a` and `b`, rows of `a` by columns of `b`, on top of `bias`.
pub(super) fn product(a: &Rows, b: &Panels, bias: Option<&[f32]>) -> Vec<f32> {
    assert_eq!(a.pairs, b.pairs, "as many columns as rows");
    if a.pairs == 0 {
        // A sum of nothing.
        return bias.map_or_else(|| vec![0.0; a.rows * b.columns], |bias| bias.repeat(a.rows));
    }
    let mut out = Vec::with_capacity(a.rows * b.columns);
    // SAFETY: panels exist only where the processor was asked for AVX-512 BF16. Every row of every strip
    // is written, which is all of the matrix.
    unsafe {
        tiles(a, b, bias, &mut out.spare_capacity_mut()[..a.rows * b.columns]);
        out.set_len(a.rows * b.columns);
    }
    out
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn tiles(a: &Rows, b: &Panels, bias: Option<&[f32]>, out: &mut [MaybeUninit<f32>]) {
    for (strip, panel) in b.data.chunks_exact(PANEL * b.pairs).enumerate() {
        let start = strip * PANEL;
        let place = Place { start, columns: b.columns, bias: bias.map(|bias| &bias[start..]) };
        let mut row = 0;
        while row + TILE <= a.rows {
            tile::<TILE>(a, row, panel, &place, out);
            row += TILE;
        }
        match a.rows - row {
            5 => tile::<5>(a, row, panel, &place, out),
            4 => tile::<4>(a, row, panel, &place, out),
            3 => tile::<3>(a, row, panel, &place, out),
            2 => tile::<2>(a, row, panel, &place, out),
            1 => tile::<1>(a, row, panel, &place, out),
            _ => {}
        }
    }
}

/// Where a strip lies in the result.
struct Place<'a> {
    start: usize,
    columns: usize,
    bias: Option<&'a [f32]>,
}

/// Computes `R` rows of one strip.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
fn tile<const R: usize>(
    a: &Rows,
    row: usize,
    panel: &[u32],
    place: &Place<'_>,
    out: &mut [MaybeUninit<f32>],
) {
    let mut sums = [[_mm512_setzero_ps(); 4]; R];
    if let Some(bias) = place.bias {
        let first: [__m512; 4] = std::array::from_fn(|v| {
            let (mask, from) = (mask(bias.len(), v), bias.as_ptr().wrapping_add(v * LANES));
            // SAFETY: the mask holds the load within the slice.
            unsafe { _mm512_maskz_loadu_ps(mask, from) }
        });
        sums = [first; R];
    }
    let rows: [&[u32]; R] =
        std::array::from_fn(|r| &a.data[(row + r) * a.pairs..(row + r + 1) * a.pairs]);
    for (pair, columns) in panel.as_chunks::<PANEL>().0.iter().enumerate() {
        let b: [__m512bh; 4] = std::array::from_fn(|v| load(&columns[v * LANES..]));
        for r in 0..R {
            // SAFETY: each row has as many pairs as the panel.
            let value = unsafe { *rows[r].get_unchecked(pair) };
            let left = as_bf16(_mm512_set1_epi32(value.cast_signed()));
            for v in 0..4 {
                sums[r][v] = _mm512_dpbf16_ps(sums[r][v], left, b[v]);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let at = (row + r) * place.columns + place.start;
        let to = &mut out[at..(row + r + 1) * place.columns];
        for (v, sum) in sums.iter().enumerate() {
            let into = to.as_mut_ptr().cast::<f32>().wrapping_add(v * LANES);
            // SAFETY: the mask holds the store within the slice.
            unsafe { _mm512_mask_storeu_ps(into, mask(to.len(), v), *sum) };
        }
    }
}

/// Returns the mask of the numbers of vector `v` that lie within `len`.
fn mask(len: usize, v: usize) -> u16 {
    match len.saturating_sub(v * LANES) {
        rest @ 0..LANES => (1 << rest) - 1,
        _ => u16::MAX,
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn load(pairs: &[u32]) -> __m512bh {
    debug_assert!(pairs.len() >= LANES, "a whole vector");
    // SAFETY: sixteen pairs lie there.
    as_bf16(unsafe { _mm512_loadu_si512(pairs.as_ptr().cast()) })
}

#[inline]
fn as_bf16(bits: __m512i) -> __m512bh {
    // SAFETY: both are 512 bits without meaning of their own.
    unsafe { std::mem::transmute(bits) }
}

/// Rounds a row to bf16; neighbours become pairs, and `out` is half as long, rounded up.
fn pairs_along(row: &[f32], out: &mut [u32]) {
    // SAFETY: called only where the processor was asked for AVX-512 BF16.
    unsafe { pairs_along_v4(row, out) }
}

#[target_feature(enable = "avx512f,avx512bf16,avx512vl")]
fn pairs_along_v4(row: &[f32], out: &mut [u32]) {
    let (chunks, rest) = row.as_chunks::<LANES>();
    for (chunk, out) in chunks.iter().zip(out.chunks_exact_mut(LANES / 2)) {
        // SAFETY: sixteen numbers are read and eight pairs written.
        unsafe {
            let rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(chunk.as_ptr()));
            let bits: __m256i = std::mem::transmute(rounded);
            _mm256_storeu_si256(out.as_mut_ptr().cast(), bits);
        }
    }
    let done = chunks.len() * (LANES / 2);
    for (pair, out) in rest.chunks(2).zip(&mut out[done..]) {
        *out = round(pair[0]) | pair.get(1).map_or(0, |x| round(*x) << 16);
    }
}

/// Rounds two rows to bf16; what stands one above the other becomes a pair. Absent: zeros.
fn pairs_across(upper: &[f32], lower: Option<&[f32]>, out: &mut [u32]) {
    // SAFETY: called only where the processor was asked for AVX-512 BF16.
    unsafe { pairs_across_v4(upper, lower, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn pairs_across_v4(upper: &[f32], lower: Option<&[f32]>, out: &mut [u32]) {
    match lower {
        Some(lower) => {
            for ((out, a), b) in out.iter_mut().zip(upper).zip(lower) {
                *out = round(*a) | round(*b) << 16;
            }
        }
        None => {
            for (out, a) in out.iter_mut().zip(upper) {
                *out = round(*a);
            }
        }
    }
}

/// Returns the bits of the nearest bf16, ties to even.
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    // What is not a number must not round to infinity.
    if x.is_nan() { (bits >> 16) | 0x40 } else { rounded }
}
