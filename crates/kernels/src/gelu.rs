//! The exact GELU, `x * Φ(x)`, and its slope.

use crate::simd::{MulAdd, dispatch, exp};

dispatch! {
    /// Returns `x * Φ(x)` of every number.
    ///
    /// The rational approximation of `erf` is accurate to a few units of the last place of an f32.
    pub fn gelu(x: &[f32]) -> Vec<f32> = gelu_body
}

/// `x * Φ(x)` of every number to 0.0002, for rows that are then rounded to eight bits.
///
/// A polynomial for Φ on [-4, 4] that makes the largest error of the product as small as can be.
#[inline(always)]
pub(crate) fn rough_gelu<M: MulAdd>(x: &mut [f32]) {
    const PHI: [f32; 7] = [
        2.278_124_2e-8,
        -1.598_592_3e-6,
        4.795_532_4e-5,
        -8.140_136e-4,
        8.772_38e-3,
        -6.457_309_4e-2,
        0.397_883_33,
    ];
    for x in x {
        let near = x.clamp(-4.0, 4.0);
        let square = near * near;
        let mut p = PHI[0];
        for next in &PHI[1..] {
            p = M::mul_add(p, square, *next);
        }
        *x *= M::mul_add(near, p, 0.5);
    }
}

dispatch! {
    /// Returns the gradient at `x`, given that of the result.
    pub fn gelu_grad(x: &[f32], grad: &[f32]) -> Vec<f32> = gelu_grad_body
}

#[inline(always)]
fn gelu_body<M: MulAdd>(x: &[f32]) -> Vec<f32> {
    x.iter().map(|x| x * normal_cdf::<M>(*x)).collect()
}

#[inline(always)]
fn gelu_grad_body<M: MulAdd>(x: &[f32], grad: &[f32]) -> Vec<f32> {
    // 1 / sqrt(2π)
    const DENSITY_AT_ZERO: f32 = 0.398_942_3;
    let mut out = grad.to_vec();
    for (out, x) in out.iter_mut().zip(x) {
        *out *= normal_cdf::<M>(*x) + x * DENSITY_AT_ZERO * exp::<M>(-0.5 * x * x);
    }
    out
}

#[inline(always)]
fn normal_cdf<M: MulAdd>(x: f32) -> f32 {
    M::mul_add(0.5, erf::<M>(x * std::f32::consts::FRAC_1_SQRT_2), 0.5)
}

/// The rational minimax approximation of `erf` on [-4, 4] that Eigen and XLA use.
#[inline(always)]
fn erf<M: MulAdd>(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let s = x * x;
    let p = M::mul_add(s, -2.726_142_4e-10, 2.770_681_6e-8);
    let p = M::mul_add(s, p, -2.101_024e-6);
    let p = M::mul_add(s, p, -5.692_506_3e-5);
    let p = M::mul_add(s, p, -7.349_906_4e-4);
    let p = M::mul_add(s, p, -2.954_600_1e-3);
    let p = M::mul_add(s, p, -1.609_603_2e-2);
    let q = M::mul_add(s, -1.456_607_2e-5, -2.133_740_5e-4);
    let q = M::mul_add(s, q, -1.682_827e-3);
    let q = M::mul_add(s, q, -7.373_329e-3);
    let q = M::mul_add(s, q, -1.426_473_9e-2);
    x * p / q
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `erf` by its series, in f64.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > 1e-18 {
            n += 1.0;
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn value_and_slope_agree_with_the_series_of_erf() {
        let x: Vec<f32> = (-500..=500).map(|i| i as f32 * 0.01).collect();
        let values = gelu(&x);
        let slopes = gelu_grad(&x, &vec![1.0; x.len()]);
        for ((x, value), slope) in x.iter().zip(values).zip(slopes) {
            let x = f64::from(*x);
            let cdf = 0.5 + 0.5 * erf_series(x / std::f64::consts::SQRT_2);
            let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
            assert!((f64::from(value) - x * cdf).abs() < 2e-6, "{x}");
            assert!((f64::from(slope) - cdf - x * density).abs() < 2e-6, "{x}");
        }
    }
}
