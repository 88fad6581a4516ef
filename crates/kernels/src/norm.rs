//! Layer norm and its gradient.

use crate::simd::{MulAdd, dispatch, sum2};

dispatch! {
    /// Normalises rows as long as `weight` to mean 0 and variance 1, then scales and shifts them.
    pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32) -> Vec<f32> = forward
}

dispatch! {
    /// As [`layer_norm`], in place.
    pub fn norm_in_place(x: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) = in_place
}

dispatch! {
    /// Adds `y` to `x`, and normalises the sum in place.
    pub fn add_norm(x: &mut [f32], y: &[f32], weight: &[f32], bias: &[f32], eps: f32) = after_adding
}

/// Gradients of a layer norm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerNormGrad {
    /// Of the rows.
    pub x: Vec<f32>,
    /// Of the scale.
    pub weight: Vec<f32>,
    /// Of the shift.
    pub bias: Vec<f32>,
}

dispatch! {
    /// Returns the gradients at rows `x`, given that of the result.
    pub fn layer_norm_grad(x: &[f32], weight: &[f32], eps: f32, grad: &[f32]) -> LayerNormGrad = backward
}

/// Mean and one over the standard deviation.
#[inline(always)]
fn moments<M: MulAdd>(row: &[f32], eps: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum2(row, row, |x, _, sum| sum + x) / count;
    let square = sum2(row, row, |x, _, sum| M::mul_add(x - mean, x - mean, sum));
    (mean, 1.0 / (square / count + eps).sqrt())
}

#[inline(always)]
fn forward<M: MulAdd>(x: &[f32], weight: &[f32], bias: &[f32], eps: f32) -> Vec<f32> {
    let mut y = x.to_vec();
    in_place::<M>(&mut y, weight, bias, eps);
    y
}

#[inline(always)]
fn in_place<M: MulAdd>(x: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    for row in x.chunks_exact_mut(weight.len()) {
        norm_row::<M>(row, weight, bias, eps);
    }
}

#[inline(always)]
fn after_adding<M: MulAdd>(x: &mut [f32], y: &[f32], weight: &[f32], bias: &[f32], eps: f32) {
    for (row, more) in x.chunks_exact_mut(weight.len()).zip(y.chunks_exact(weight.len())) {
        for (x, y) in row.iter_mut().zip(more) {
            *x += y;
        }
        norm_row::<M>(row, weight, bias, eps);
    }
}

#[inline(always)]
fn norm_row<M: MulAdd>(row: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    let (mean, scale) = moments::<M>(row, eps);
    for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
        *x = M::mul_add((*x - mean) * scale, *weight, *bias);
    }
}

#[inline(always)]
fn backward<M: MulAdd>(x: &[f32], weight: &[f32], eps: f32, grad: &[f32]) -> LayerNormGrad {
    let width = weight.len();
    let mut out = LayerNormGrad {
        x: Vec::with_capacity(x.len()),
        weight: vec![0.0; width],
        bias: vec![0.0; width],
    };
    let (mut standard, mut scaled) = (vec![0.0; width], vec![0.0; width]);
    for (row, grad) in x.chunks_exact(width).zip(grad.chunks_exact(width)) {
        let (mean, scale) = moments::<M>(row, eps);
        for k in 0..width {
            standard[k] = (row[k] - mean) * scale;
            scaled[k] = grad[k] * weight[k];
            out.weight[k] = M::mul_add(grad[k], standard[k], out.weight[k]);
            out.bias[k] += grad[k];
        }
        let count = width as f32;
        let mean_grad = sum2(&scaled, &scaled, |x, _, sum| sum + x) / count;
        let along = sum2(&scaled, &standard, |x, y, sum| M::mul_add(x, y, sum)) / count;
        let parts = scaled.iter().zip(&standard);
        out.x.extend(parts.map(|(g, s)| scale * (g - mean_grad - s * along)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let count = x.len() as f64;
        let mean = x.iter().sum::<f64>() / count;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let scale = 1.0 / (variance + 1e-5).sqrt();
        (0..x.len()).map(|k| (x[k] - mean) * scale * weight[k] + bias[k]).collect()
    }

    #[test]
    fn value_and_gradients_agree_with_the_definition_and_its_differences() {
        let row = |seed: f64, n: usize| -> Vec<f64> {
            (0..n).map(|k| ((k as f64 + seed) * 1.7).sin() * 2.0).collect()
        };
        let (x, weight, bias, grad) = (row(0.3, 37), row(1.1, 37), row(2.2, 37), row(3.3, 37));
        let narrow =
            |v: &[f64]| -> Vec<f32> { v.iter().map(|x| crate::simd::narrow(*x)).collect() };
        let y = layer_norm(&narrow(&x), &narrow(&weight), &narrow(&bias), 1e-5);
        for (y, wanted) in y.iter().zip(naive(&x, &weight, &bias)) {
            assert!((f64::from(*y) - wanted).abs() < 1e-5);
        }
        let found = layer_norm_grad(&narrow(&x), &narrow(&weight), 1e-5, &narrow(&grad));
        let along = |x: &[f64], w: &[f64], b: &[f64]| -> f64 {
            naive(x, w, b).iter().zip(&grad).map(|(y, g)| y * g).sum()
        };
        for k in 0..x.len() {
            let step = 1e-5;
            let moved = |v: &[f64], by: f64| {
                let mut v = v.to_vec();
                v[k] += by;
                v
            };
            let slope = |up: f64, down: f64| (up - down) / (2.0 * step);
            let dx = slope(
                along(&moved(&x, step), &weight, &bias),
                along(&moved(&x, -step), &weight, &bias),
            );
            let dw = slope(
                along(&x, &moved(&weight, step), &bias),
                along(&x, &moved(&weight, -step), &bias),
            );
            assert!((f64::from(found.x[k]) - dx).abs() < 1e-4, "{k}");
            assert!((f64::from(found.weight[k]) - dw).abs() < 1e-4, "{k}");
            assert!((f64::from(found.bias[k]) - grad[k]).abs() < 1e-6, "{k}");
        }
    }
}
