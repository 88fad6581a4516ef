//! The gradient of attention: the shares once more, then each product backwards.

use super::{Head, Rows, Scratch, Shape, exponentials, heads, padded, scale_of, turn};
use crate::simd::{LANES, MulAdd, sum2};

#[inline(always)]
pub(super) fn backward_body<M: MulAdd>(
    qkv: &[f32],
    shape: &Shape<'_>,
    grad: &[f32],
    out: &mut [f32],
) {
    let mut scratch = Scratch::default();
    let scale = 1.0 / (shape.width as f32).sqrt();
    for head in heads(shape) {
        weigh::<M>(qkv, &head, scale_of(shape), &mut scratch);
        turn::<M::Vector>(qkv, head.value, padded(head.value.count, LANES), &mut scratch.across);
        let (count, step) = (head.query.count, padded(head.query.count, LANES));
        let Scratch { across, weights, slopes, .. } = &mut scratch;
        let (across, weights) = (across.there(), weights.there());
        let slopes = slopes.room(count * step);
        for i in 0..count {
            dots::<M>(&grad[head.out.row(i)], across, 1.0, &mut slopes[i * step..][..step]);
            through_softmax(&weights[i * step..][..step], &mut slopes[i * step..][..step]);
        }
        for i in 0..count {
            let (row, column) = (Weights { at: i * step, step: 1 }, Weights { at: i, step });
            mix::<M>(slopes, row, qkv, head.key, scale, &mut out[head.query.row(i)]);
            mix::<M>(slopes, column, qkv, head.query, scale, &mut out[head.key.row(i)]);
            mix::<M>(weights, column, grad, head.out, 1.0, &mut out[head.value.row(i)]);
        }
    }
}

/// Fills `scratch.weights` with the softmax of the scaled scores, count by padded count.
#[inline(always)]
fn weigh<M: MulAdd>(qkv: &[f32], head: &Head, scale: f32, scratch: &mut Scratch) {
    turn::<M::Vector>(qkv, head.key, padded(head.key.count, LANES), &mut scratch.across);
    let (count, step) = (head.query.count, padded(head.query.count, LANES));
    let (across, weights) = (scratch.across.there(), scratch.weights.room(count * step));
    for i in 0..count {
        let row = &mut weights[i * step..][..step];
        dots::<M>(&qkv[head.query.row(i)], across, scale, row);
        softmax::<M>(row, count);
    }
}

/// Fills `out` with the dot products of `a` and each column of `across`.
#[inline(always)]
fn dots<M: MulAdd>(a: &[f32], across: &[f32], scale: f32, out: &mut [f32]) {
    let step = out.len();
    let (chunks, _) = out.as_chunks_mut::<LANES>();
    for (block, out) in chunks.iter_mut().enumerate() {
        // Two sums, so that one need not wait for the other.
        let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
        let column = |d: usize| &across[d * step + block * LANES..][..LANES];
        for pair in 0..a.len() / 2 {
            let (x, y) = (column(2 * pair), column(2 * pair + 1));
            for lane in 0..LANES {
                even[lane] = M::mul_add(a[2 * pair], x[lane], even[lane]);
                odd[lane] = M::mul_add(a[2 * pair + 1], y[lane], odd[lane]);
            }
        }
        if !a.len().is_multiple_of(2) {
            let x = column(a.len() - 1);
            for lane in 0..LANES {
                even[lane] = M::mul_add(a[a.len() - 1], x[lane], even[lane]);
            }
        }
        for lane in 0..LANES {
            out[lane] = (even[lane] + odd[lane]) * scale;
        }
    }
}

/// Turns the first `count` scores into shares of one and the others into zeros.
#[inline(always)]
fn softmax<M: MulAdd>(row: &mut [f32], count: usize) {
    let sum = exponentials::<M::Vector>(row, count);
    for x in row {
        *x /= sum;
    }
}

/// Turns the slopes at shares into slopes at scores.
#[inline(always)]
fn through_softmax(weights: &[f32], slopes: &mut [f32]) {
    let mean = sum2(weights, slopes, |w, s, sum| sum + w * s);
    for (slope, weight) in slopes.iter_mut().zip(weights) {
        *slope = weight * (*slope - mean);
    }
}

/// One row or column of a square matrix.
#[derive(Clone, Copy)]
struct Weights {
    at: usize,
    step: usize,
}

/// Fills `out` with the weighted sum of rows, times `scale`.
#[inline(always)]
fn mix<M: MulAdd>(
    weights: &[f32],
    which: Weights,
    from: &[f32],
    rows: Rows,
    scale: f32,
    out: &mut [f32],
) {
    // Heads of common widths keep their sums in registers.
    match rows.width {
        32 => mix_of::<M, 32>(weights, which, from, rows, scale, out),
        64 => mix_of::<M, 64>(weights, which, from, rows, scale, out),
        _ => {
            for j in 0..rows.count {
                let weight = weights[which.at + j * which.step] * scale;
                for (out, x) in out.iter_mut().zip(&from[rows.row(j)]) {
                    *out = M::mul_add(weight, *x, *out);
                }
            }
        }
    }
}

#[inline(always)]
fn mix_of<M: MulAdd, const W: usize>(
    weights: &[f32],
    which: Weights,
    from: &[f32],
    rows: Rows,
    scale: f32,
    out: &mut [f32],
) {
    let mut sums = [0.0; W];
    for j in 0..rows.count {
        let weight = weights[which.at + j * which.step] * scale;
        let row = &from[rows.row(j)][..W];
        for lane in 0..W {
            sums[lane] = M::mul_add(weight, row[lane], sums[lane]);
        }
    }
    out.copy_from_slice(&sums);
}
