//! The step of AdamW (Loshchilov and Hutter 2019).

use crate::simd::{MulAdd, dispatch, sum2};

/// The numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Decay of the running mean of gradients.
    pub beta_1: f32,
    /// Decay of the running mean of squared gradients.
    pub beta_2: f32,
    /// What gradients are multiplied with, to shorten them all.
    pub clip: f32,
    /// Learning rate, divided by the bias of the mean.
    pub rate: f32,
    /// One over the bias of the mean square.
    pub unbias: f32,
    /// Added to the root.
    pub epsilon: f32,
    /// What weights are multiplied with before the step.
    pub fade: f32,
}

dispatch! {
    /// Moves weights against the gradients and brings the moments up to date; one length everywhere.
    pub fn adam_step(
        weights: &mut [f32],
        mean: &mut [f32],
        square: &mut [f32],
        grad: &[f32],
        step: &AdamStep,
    ) = adam_body
}

dispatch! {
    /// Returns the sum of squares.
    pub fn sum_of_squares(x: &[f32]) -> f64 = squares_body
}

dispatch! {
    /// Moves `average` towards `x` by a share of the way.
    pub fn blend(average: &mut [f32], x: &[f32], share: f32) = blend_body
}

#[inline(always)]
fn adam_body<M: MulAdd>(
    weights: &mut [f32],
    mean: &mut [f32],
    square: &mut [f32],
    grad: &[f32],
    step: &AdamStep,
) {
    let all = weights.iter_mut().zip(mean.iter_mut()).zip(square.iter_mut()).zip(grad);
    for (((w, m), v), g) in all {
        let g = g * step.clip;
        *m = M::mul_add(*m, step.beta_1, (1.0 - step.beta_1) * g);
        *v = M::mul_add(*v, step.beta_2, (1.0 - step.beta_2) * g * g);
        let root = (*v * step.unbias).sqrt() + step.epsilon;
        *w = *w * step.fade - step.rate * *m / root;
    }
}

#[inline(always)]
fn squares_body<M: MulAdd>(x: &[f32]) -> f64 {
    let mut sum = 0.0;
    // Parts short enough for f32.
    for part in x.chunks(4096) {
        sum += f64::from(sum2(part, part, |x, _, sum| M::mul_add(x, x, sum)));
    }
    sum
}

#[inline(always)]
fn blend_body<M: MulAdd>(average: &mut [f32], x: &[f32], share: f32) {
    for (average, x) in average.iter_mut().zip(x) {
        *average = M::mul_add(x - *average, share, *average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_blends_are_those_worked_out_by_hand() {
        let x: Vec<f32> = (1..=100).map(|k| k as f32).collect();
        assert!((sum_of_squares(&x) - 338_350.0).abs() < 1e-6);
        let mut average = vec![1.0, 2.0];
        blend(&mut average, &[3.0, 2.0], 0.25);
        assert_eq!(average, [1.5, 2.0]);
    }
}
