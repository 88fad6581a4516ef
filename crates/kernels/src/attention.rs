//! Attention over texts that lie end to end, without padding, and its gradient.

mod backward;
mod forward;

use backward::backward_body;
use forward::forward_body;

use crate::{
    memory::Aligned,
    simd::{LANES, Vector, dispatch, power_below},
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

/// Returns a count rounded up to whole `units`.
fn padded(count: usize, unit: usize) -> usize {
    count.div_ceil(unit) * unit
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

#[cfg(test)]
mod tests;
