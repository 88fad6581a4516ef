//! What tokens see, in tiles whose sums stay in registers.

use std::ops::Range;

use super::{BLOCK, Head, Rows, Scratch, Shape, exponentials, heads, padded, scale_of, turn};
use crate::{
    memory::Aligned,
    simd::{LANES, MulAdd, Vector, evenly},
};

/// Queries of a tile: with two vectors of sums for each, or one, they keep a processor's multipliers busy.
const TILE: usize = 6;
/// Queries whose scores are at hand together; whole tiles.
const STRIP: usize = 6 * TILE;

#[inline(always)]
pub(super) fn forward_body<M: MulAdd>(
    qkv: &[f32],
    shape: &Shape<'_>,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let scale = scale_of(shape);
    for head in heads(shape) {
        turn::<M::Vector>(qkv, head.key, padded(head.key.count, BLOCK), &mut scratch.across);
        if !lie_well(head.value) {
            widen(qkv, head.value, &mut scratch.values);
        }
        for strip in evenly(head.query.count, STRIP) {
            // As many sums at once as have room in the registers.
            if M::Vector::ROOMY {
                see::<M, 2>(qkv, &head, strip, scale, scratch, out);
            } else {
                see::<M, 1>(qkv, &head, strip, scale, scratch, out);
            }
        }
    }
}

/// Computes what some tokens of a head see. Step by step for all of them: what one waits for in a step,
/// others need not.
#[inline(always)]
fn see<M: MulAdd, const N: usize>(
    qkv: &[f32],
    head: &Head,
    strip: Range<usize>,
    scale: f32,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let count = head.key.count;
    let step = padded(count, BLOCK);
    let weights = scratch.weights.room(strip.len() * step);
    let across = scratch.across.there();
    for first in (0..strip.len()).step_by(TILE) {
        match strip.len() {
            // A tile at the end has some of the rows of the one before.
            TILE.. => {
                let first = first.min(strip.len() - TILE);
                let rows = head.query.from(strip.start + first);
                score::<M::Vector, TILE, N>(qkv, rows, across, scale, &mut weights[first * step..]);
            }
            fewer => {
                for at in 0..fewer {
                    let rows = head.query.from(strip.start + at);
                    score::<M::Vector, 1, N>(qkv, rows, across, scale, &mut weights[at * step..]);
                }
            }
        }
    }
    let mut shares = [0.0; STRIP];
    for (share, row) in shares.iter_mut().zip(weights.chunks_exact_mut(step)) {
        *share = 1.0 / exponentials::<M::Vector>(row, count);
    }
    let values = match lie_well(head.value) {
        true => (&qkv[head.value.start..], head.value.step),
        false => (scratch.values.there(), padded(head.value.width, BLOCK)),
    };
    for first in (0..strip.len()).step_by(TILE) {
        match strip.len() {
            TILE.. => {
                let first = first.min(strip.len() - TILE);
                let (weights, shares) = (&weights[first * step..], &shares[first..]);
                let rows = head.out.from(strip.start + first);
                blend::<M::Vector, TILE, N>((weights, step, count), shares, values, rows, out);
            }
            fewer => {
                for at in 0..fewer {
                    let (weights, shares) = (&weights[at * step..], &shares[at..]);
                    let rows = head.out.from(strip.start + at);
                    blend::<M::Vector, 1, N>((weights, step, count), shares, values, rows, out);
                }
            }
        }
    }
}

/// Fills `weights` with the scores of `R` queries, a row each.
#[inline(always)]
fn score<V: Vector, const R: usize, const N: usize>(
    qkv: &[f32],
    queries: Rows,
    across: &[f32],
    scale: f32,
    weights: &mut [f32],
) {
    let step = across.len() / queries.width;
    // Loops rather than closures: those would not be compiled for the instructions that are there.
    let mut rows: [&[f32]; R] = [&[]; R];
    for r in 0..R {
        rows[r] = &qkv[queries.row(r)];
    }
    for at in (0..step).step_by(N * LANES) {
        let scores = product::<V, R, N>(rows, &across[at..], step);
        for r in 0..R {
            store(&scores[r], V::splat(scale), &mut weights[r * step + at..]);
        }
    }
}

/// Fills `R` rows of `out` with weighted sums of the values, `count` of them, weights being `step` apart and
/// values theirs.
#[inline(always)]
fn blend<V: Vector, const R: usize, const N: usize>(
    (weights, step, count): (&[f32], usize, usize),
    shares: &[f32],
    (values, values_step): (&[f32], usize),
    to: Rows,
    out: &mut [f32],
) {
    let mut rows: [&[f32]; R] = [&[]; R];
    for r in 0..R {
        rows[r] = &weights[r * step..][..count];
    }
    for at in (0..to.width).step_by(N * LANES) {
        let sums = product::<V, R, N>(rows, &values[at..], values_step);
        for r in 0..R {
            store(&sums[r], V::splat(shares[r]), &mut out[to.row(r)][at..]);
        }
    }
}

/// Stores a block times `scale`, or as much of it as there is room for.
#[inline(always)]
fn store<V: Vector, const N: usize>(block: &[V; N], scale: V, to: &mut [f32]) {
    for (vector, to) in block.iter().zip(to.chunks_mut(LANES)) {
        let vector = vector.mul(scale);
        match <&mut [f32; LANES]>::try_from(&mut *to) {
            Ok(whole) => vector.store(whole),
            Err(_) => {
                let mut numbers = [0.0; LANES];
                vector.store(&mut numbers);
                to.copy_from_slice(&numbers[..to.len()]);
            }
        }
    }
}

/// Returns the product of `R` rows and the first `N` vectors of columns of a matrix whose rows are `step`
/// apart.
#[inline(always)]
fn product<V: Vector, const R: usize, const N: usize>(
    rows: [&[f32]; R],
    matrix: &[f32],
    step: usize,
) -> [[V; N]; R] {
    let len = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == len), "rows of one length");
    let wide = N * LANES;
    assert!(step >= wide && matrix.len() + step >= len * step + wide, "a row for each number");
    let mut sums = [[V::splat(0.0); N]; R];
    let mut columns = matrix.as_ptr();
    for k in 0..len {
        let mut vectors = [V::splat(0.0); N];
        for n in 0..N {
            // SAFETY: there are so many rows of columns.
            vectors[n] = V::load(unsafe { &*columns.add(n * LANES).cast::<[f32; LANES]>() });
        }
        for r in 0..R {
            // SAFETY: each row has `len` numbers.
            let x = V::splat(unsafe { *rows[r].get_unchecked(k) });
            for n in 0..N {
                sums[r][n] = x.mul_add(vectors[n], sums[r][n]);
            }
        }
        columns = columns.wrapping_add(step);
    }
    sums
}

/// Whether rows are good to multiply by where they are: whole blocks, and few. Rows a power of two and a bit
/// apart would soon drive one another out of the nearest cache.
fn lie_well(rows: Rows) -> bool {
    rows.width.is_multiple_of(BLOCK) && rows.count <= 48
}

/// Lays rows out one after the other, each filled up with zeros.
#[inline(always)]
fn widen(from: &[f32], rows: Rows, to: &mut Aligned) {
    let step = padded(rows.width, BLOCK);
    let to = to.room(rows.count * step);
    for j in 0..rows.count {
        let (row, to) = (&from[rows.row(j)], &mut to[j * step..][..step]);
        to[..row.len()].copy_from_slice(row);
        to[row.len()..].fill(0.0);
    }
}
