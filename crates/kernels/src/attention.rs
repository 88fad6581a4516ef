//! Attention over texts that lie end to end, without padding, and its gradient.

use std::ops::Range;

use crate::{
    memory::Aligned,
    simd::{LANES, MulAdd, Vector, dispatch, evenly, power_below, sum2},
};

/// Where texts and heads lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape<'a> {
    /// Tokens of each text, in order.
    pub lengths: &'a [usize],
    /// Attention heads.
    pub heads: usize,
    /// Numbers of a head.
    pub width: usize,
}

impl Shape<'_> {
    fn hidden(&self) -> usize {
        self.heads * self.width
    }

    fn check(&self, qkv: &[f32]) {
        let tokens: usize = self.lengths.iter().sum();
        assert_eq!(
            qkv.len(),
            tokens * 3 * self.hidden(),
            "query, key and value of {tokens} tokens"
        );
    }
}

/// Returns what each token sees of its text, tokens by hidden. A row of `qkv` is a token's query, key and
/// value, heads side by side in each.
///
/// # Panics
/// When `qkv` does not have the shape.
#[must_use]
pub fn attention(qkv: &[f32], shape: &Shape<'_>) -> Vec<f32> {
    let mut out = Vec::new();
    attention_into(qkv, shape, &mut Scratch::default(), &mut out);
    out
}

/// As [`attention`], in memory that is kept from one use to the next.
///
/// # Panics
/// When `qkv` does not have the shape.
pub fn attention_into(qkv: &[f32], shape: &Shape<'_>, scratch: &mut Scratch, out: &mut Vec<f32>) {
    shape.check(qkv);
    out.resize(qkv.len() / 3, 0.0);
    forward(qkv, shape, scratch, out);
}

/// Returns the gradient at `qkv`, given that of the result.
///
/// # Panics
/// When `qkv` or `grad` does not have the shape.
#[must_use]
pub fn attention_grad(qkv: &[f32], shape: &Shape<'_>, grad: &[f32]) -> Vec<f32> {
    shape.check(qkv);
    assert_eq!(grad.len(), qkv.len() / 3, "a gradient for each token");
    let mut out = vec![0.0; qkv.len()];
    backward(qkv, shape, grad, &mut out);
    out
}

dispatch! {
    fn forward(qkv: &[f32], shape: &Shape<'_>, scratch: &mut Scratch, out: &mut [f32]) = forward_body
}
dispatch! { fn backward(qkv: &[f32], shape: &Shape<'_>, grad: &[f32], out: &mut [f32]) = backward_body }

/// Rows of one head of one text within a larger matrix.
#[derive(Clone, Copy)]
struct Rows {
    start: usize,
    step: usize,
    count: usize,
    width: usize,
}

impl Rows {
    #[inline(always)]
    fn row(self, index: usize) -> std::ops::Range<usize> {
        let at = self.start + index * self.step;
        at..at + self.width
    }

    /// Returns the rows from one on.
    #[inline(always)]
    fn from(self, first: usize) -> Self {
        Self { start: self.start + first * self.step, count: self.count - first, ..self }
    }
}

/// Query, key and value of one head of one text, and the same head's rows of the result.
#[derive(Clone, Copy)]
struct Head {
    query: Rows,
    key: Rows,
    value: Rows,
    out: Rows,
}

/// Returns what scores are multiplied by: they are scaled for softmax, and become powers of two rather than
/// of e.
fn scale_of(shape: &Shape<'_>) -> f32 {
    std::f32::consts::LOG2_E / (shape.width as f32).sqrt()
}

#[inline(always)]
fn heads(shape: &Shape<'_>) -> impl Iterator<Item = Head> {
    let (hidden, width) = (shape.hidden(), shape.width);
    let starts = shape.lengths.iter().scan(0, |next, count| {
        let start = *next;
        *next += count;
        Some((start, *count))
    });
    let each = 0..shape.heads;
    starts.flat_map(move |(first, count)| {
        each.clone().map(move |head| {
            let part = |index: usize| Rows {
                start: (first * 3 + index) * hidden + head * width,
                step: 3 * hidden,
                count,
                width,
            };
            let out = Rows { start: first * hidden + head * width, step: hidden, count, width };
            Head { query: part(0), key: part(1), value: part(2), out }
        })
    })
}

/// Queries of a tile: with two vectors of sums for each, or one, they keep a processor's multipliers busy.
const TILE: usize = 6;
/// Queries whose scores are at hand together; whole tiles.
const STRIP: usize = 6 * TILE;
/// Columns of a tile, at most.
const BLOCK: usize = 2 * LANES;

/// Lowest score beside the largest, in powers of two, that is told from lower ones: products with shares far
/// below become numbers so small that processors count with them slowly.
const LEAST: f32 = -60.0;

/// Matrices of one head, kept from head to head.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Keys or values with numbers as rows, filled up with zeros.
    across: Aligned,
    /// Values, each filled up with zeros, where they do not lie well.
    values: Aligned,
    weights: Aligned,
    slopes: Aligned,
}

#[inline(always)]
fn forward_body<M: MulAdd>(qkv: &[f32], shape: &Shape<'_>, scratch: &mut Scratch, out: &mut [f32]) {
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

#[inline(always)]
fn backward_body<M: MulAdd>(qkv: &[f32], shape: &Shape<'_>, grad: &[f32], out: &mut [f32]) {
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

/// Returns a count rounded up to whole `units`.
fn padded(count: usize, unit: usize) -> usize {
    count.div_ceil(unit) * unit
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

/// Lays rows out with their numbers as rows of `step`, filled up to whole vectors with zeros; what is beyond
/// those stays as it was.
#[inline(always)]
fn turn<V: Vector>(from: &[f32], rows: Rows, step: usize, across: &mut Aligned) {
    let across = across.room(rows.width * step);
    for first in (0..rows.count).step_by(LANES) {
        for at in (0..rows.width).step_by(LANES) {
            let columns = at..rows.width.min(at + LANES);
            let mut square = [V::splat(0.0); LANES];
            for (row, j) in square.iter_mut().zip(first..rows.count) {
                let numbers = &from[rows.row(j)][columns.clone()];
                *row = match <&[f32; LANES]>::try_from(numbers) {
                    Ok(whole) => V::load(whole),
                    Err(_) => load_some(numbers),
                }
            }
            V::transpose(&mut square);
            for (row, d) in square.iter().zip(columns) {
                if let Some(to) = across[d * step + first..].first_chunk_mut() {
                    row.store(to);
                }
            }
        }
    }
}

/// Returns fewer than sixteen numbers, filled up with zeros.
#[inline(always)]
fn load_some<V: Vector>(from: &[f32]) -> V {
    let mut numbers = [0.0; LANES];
    numbers[..from.len()].copy_from_slice(from);
    V::load(&numbers)
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

/// Turns the first `count` scores into what their shares are to one another, and the rest of their last vector
/// into zeros; returns the sum.
#[inline(always)]
fn exponentials<V: Vector>(row: &mut [f32], count: usize) -> f32 {
    let (vectors, _) = row[..padded(count, LANES)].as_chunks_mut::<LANES>();
    let Some((last, full)) = vectors.split_last_mut() else { return 0.0 };
    let rest = count - full.len() * LANES;
    let lowest = V::splat(f32::NEG_INFINITY);
    let mut largest = V::load(last).keep(rest, lowest);
    for some in &*full {
        largest = V::load(some).max(largest);
    }
    let largest = V::splat(largest.largest());
    let mut sum = shares_below(last, largest).keep(rest, V::splat(0.0));
    sum.store(last);
    for some in full {
        let shares = shares_below(some, largest);
        shares.store(some);
        sum = sum.add(shares);
    }
    sum.sum()
}

/// Returns what the shares of scores are to that of the largest.
#[inline(always)]
fn shares_below<V: Vector>(scores: &[f32; LANES], largest: V) -> V {
    // The larger of two is the second where one is not a number: that is to be seen in the sum.
    power_below(V::splat(LEAST).max(V::load(scores).sub(largest)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(qkv: &[f64], shape: &Shape<'_>) -> Vec<f64> {
        let (hidden, width) = (shape.heads * shape.width, shape.width);
        let mut out = Vec::new();
        let mut first = 0;
        for count in shape.lengths {
            let at = |token: usize, part: usize, k: usize| {
                qkv[((first + token) * 3 + part) * hidden + k]
            };
            for i in 0..*count {
                for k in 0..hidden {
                    let head = k / width * width;
                    let score = |j: usize| -> f64 {
                        let dot: f64 =
                            (head..head + width).map(|d| at(i, 0, d) * at(j, 1, d)).sum();
                        (dot / (width as f64).sqrt()).exp()
                    };
                    let total: f64 = (0..*count).map(score).sum();
                    out.push((0..*count).map(|j| score(j) / total * at(j, 2, k)).sum());
                }
            }
            first += count;
        }
        out
    }

    #[test]
    fn value_and_gradient_agree_with_the_definition_and_its_differences() {
        for (lengths, heads, width) in
            [(vec![1, 5, 18], 2, 6), (vec![17], 1, 32), (vec![3, 40], 1, 64), (vec![2], 3, 5)]
        {
            let shape = Shape { lengths: &lengths, heads, width };
            let tokens: usize = lengths.iter().sum();
            let numbers = |count: usize, by: f64| -> Vec<f64> {
                (0..count).map(|k| ((k as f64 + by) * 1.3).sin() * 1.5).collect()
            };
            let qkv = numbers(tokens * 3 * heads * width, 0.2);
            let grad = numbers(tokens * heads * width, 0.7);
            let narrow =
                |v: &[f64]| -> Vec<f32> { v.iter().map(|x| crate::simd::narrow(*x)).collect() };
            let found = attention(&narrow(&qkv), &shape);
            for (found, wanted) in found.iter().zip(naive(&qkv, &shape)) {
                assert!((f64::from(*found) - wanted).abs() < 1e-5);
            }
            let slopes = attention_grad(&narrow(&qkv), &shape, &narrow(&grad));
            let along = |qkv: &[f64]| -> f64 {
                naive(qkv, &shape).iter().zip(&grad).map(|(y, g)| y * g).sum()
            };
            for at in (0..qkv.len()).step_by(qkv.len() / 40 + 1) {
                let mut moved = qkv.clone();
                moved[at] += 1e-5;
                let up = along(&moved);
                moved[at] -= 2e-5;
                let slope = (up - along(&moved)) / 2e-5;
                assert!((f64::from(slopes[at]) - slope).abs() < 1e-3, "{at}: {slope}");
            }
        }
    }

    #[test]
    fn a_text_does_not_depend_on_its_neighbours() {
        let one: Vec<f32> = (0..7 * 3 * 64).map(|k| (k as f32 * 0.37).sin()).collect();
        let two: Vec<f32> = (0..4 * 3 * 64).map(|k| (k as f32 * 0.73).cos()).collect();
        let of = |qkv: &[f32], lengths: &[usize]| {
            attention(qkv, &Shape { lengths, heads: 2, width: 32 })
        };
        let together = of(&[one.clone(), two.clone()].concat(), &[7, 4]);
        assert_eq!(together, [of(&one, &[7]), of(&two, &[4])].concat());
    }
}
