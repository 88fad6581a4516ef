//! Attention over texts that lie end to end, without padding, and its gradient.

use crate::simd::{LANES, MulAdd, dispatch, exp};

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
    shape.check(qkv);
    let mut out = vec![0.0; qkv.len() / 3];
    forward(qkv, shape, &mut out);
    out
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

dispatch! { fn forward(qkv: &[f32], shape: &Shape<'_>, out: &mut [f32]) = forward_body }
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
}

/// Query, key and value of one head of one text, and the same head's rows of the result.
#[derive(Clone, Copy)]
struct Head {
    query: Rows,
    key: Rows,
    value: Rows,
    out: Rows,
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

/// Square matrices of one head, reused from head to head.
#[derive(Default)]
struct Scratch {
    /// Keys or values with numbers as rows, padded to whole vectors.
    across: Vec<f32>,
    weights: Vec<f32>,
    slopes: Vec<f32>,
}

#[inline(always)]
fn forward_body<M: MulAdd>(qkv: &[f32], shape: &Shape<'_>, out: &mut [f32]) {
    let mut scratch = Scratch::default();
    let scale = 1.0 / (shape.width as f32).sqrt();
    for head in heads(shape) {
        weigh::<M>(qkv, &head, scale, &mut scratch);
        let step = padded(head.query.count);
        for i in 0..head.out.count {
            let weights = Weights { at: i * step, step: 1 };
            mix::<M>(&scratch.weights, weights, qkv, head.value, 1.0, &mut out[head.out.row(i)]);
        }
    }
}

#[inline(always)]
fn backward_body<M: MulAdd>(qkv: &[f32], shape: &Shape<'_>, grad: &[f32], out: &mut [f32]) {
    let mut scratch = Scratch::default();
    let scale = 1.0 / (shape.width as f32).sqrt();
    for head in heads(shape) {
        weigh::<M>(qkv, &head, scale, &mut scratch);
        turn(qkv, head.value, &mut scratch.across);
        let (count, step) = (head.query.count, padded(head.query.count));
        scratch.slopes.clear();
        scratch.slopes.resize(count * step, 0.0);
        let Scratch { across, weights, slopes } = &mut scratch;
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

/// Returns a count rounded up to whole vectors.
fn padded(count: usize) -> usize {
    count.div_ceil(LANES) * LANES
}

/// Fills `scratch.weights` with the softmax of the scaled scores, count by padded count.
#[inline(always)]
fn weigh<M: MulAdd>(qkv: &[f32], head: &Head, scale: f32, scratch: &mut Scratch) {
    turn(qkv, head.key, &mut scratch.across);
    let (count, step) = (head.query.count, padded(head.query.count));
    scratch.weights.clear();
    scratch.weights.resize(count * step, 0.0);
    for i in 0..count {
        let row = &mut scratch.weights[i * step..][..step];
        dots::<M>(&qkv[head.query.row(i)], &scratch.across, scale, row);
        softmax::<M>(row, count);
    }
}

/// Lays rows out with their numbers as rows of whole vectors.
#[inline(always)]
fn turn(from: &[f32], rows: Rows, across: &mut Vec<f32>) {
    let step = padded(rows.count);
    across.clear();
    across.resize(rows.width * step, 0.0);
    for j in 0..rows.count {
        for (d, x) in from[rows.row(j)].iter().enumerate() {
            across[d * step + j] = *x;
        }
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
    let mut largest = f32::NEG_INFINITY;
    for x in &row[..count] {
        largest = largest.max(*x);
    }
    for x in &mut *row {
        *x = exp::<M>(*x - largest);
    }
    row[count..].fill(0.0);
    let sum = crate::simd::sum2(row, row, |x, _, sum| sum + x);
    for x in row {
        *x /= sum;
    }
}

/// Turns the slopes at shares into slopes at scores.
#[inline(always)]
fn through_softmax(weights: &[f32], slopes: &mut [f32]) {
    let mean = crate::simd::sum2(weights, slopes, |w, s, sum| sum + w * s);
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
