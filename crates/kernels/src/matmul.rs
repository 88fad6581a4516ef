//! Linear layers, `y = x Wᵀ + b`, and their gradients.

#[cfg(target_arch = "x86_64")]
mod bf16;
mod full;

use crate::simd::{MulAdd, dispatch, sum2};

/// The operands of products; sums are always f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Eight bits of mantissa: needs AVX-512 BF16.
    Bf16,
    /// f32 throughout.
    Full,
}

/// Returns what this processor is best at.
///
/// AMD's are twice as fast in bf16 as in f32 (Zen 5: 495 and 248 billion operations a second on one core);
/// Intel's have the same instruction, and are slower with it than without (a Xeon with AVX-512 FP16: 85 and
/// 172).
/// Nothing is timed, so that the same machine always gives the same numbers.
#[must_use]
pub fn precision() -> Precision {
    #[cfg(target_arch = "x86_64")]
    if has_bf16() && crate::simd::made_by_amd() {
        return Precision::Bf16;
    }
    Precision::Full
}

/// Returns whether the processor has [`Precision::Bf16`] at all.
#[cfg(target_arch = "x86_64")]
fn has_bf16() -> bool {
    crate::simd::has_v4() && is_x86_feature_detected!("avx512bf16")
}

/// Other processors do not have it.
#[cfg(all(test, not(target_arch = "x86_64")))]
fn has_bf16() -> bool {
    false
}

/// A weight matrix, out by in, laid out for products.
#[derive(Clone, Debug)]
pub struct Packed {
    outputs: usize,
    inputs: usize,
    layout: Layout,
}

#[derive(Clone, Debug)]
enum Layout {
    #[cfg(target_arch = "x86_64")]
    Bf16 {
        forward: bf16::Panels,
        backward: Option<bf16::Panels>,
    },
    Full(Vec<f32>),
}

/// Gradients of a linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearGrad {
    /// Of the rows.
    pub x: Vec<f32>,
    /// Of the weights, out by in.
    pub weight: Vec<f32>,
    /// Of the bias.
    pub bias: Vec<f32>,
}

impl Packed {
    /// Lays out `weight`, `outputs` by `inputs`. `trained`: for gradients, too.
    ///
    /// # Panics
    /// When the length is not `outputs * inputs`.
    #[must_use]
    pub fn new(weight: &[f32], (outputs, inputs): (usize, usize), trained: bool) -> Self {
        Self::with(precision(), weight, (outputs, inputs), trained)
    }

    /// As [`Self::new`], with a precision that the processor has.
    ///
    /// # Panics
    /// When the length is not `outputs * inputs`.
    #[must_use]
    pub fn with(
        precision: Precision,
        weight: &[f32],
        (outputs, inputs): (usize, usize),
        trained: bool,
    ) -> Self {
        assert_eq!(weight.len(), outputs * inputs, "a weight of {outputs} by {inputs}");
        let layout = match precision {
            #[cfg(target_arch = "x86_64")]
            Precision::Bf16 => Layout::Bf16 {
                forward: bf16::Panels::of_rows(weight, inputs),
                backward: trained.then(|| bf16::Panels::of_columns(weight, inputs)),
            },
            _ => Layout::Full(weight.to_vec()),
        };
        Self { outputs, inputs, layout }
    }

    /// Returns outputs and inputs.
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        (self.outputs, self.inputs)
    }

    /// Returns `x Wᵀ + bias` for rows of `inputs` numbers.
    ///
    /// # Panics
    /// When `x` is not whole rows or `bias` has not `outputs` numbers.
    #[must_use]
    pub fn forward(&self, x: &[f32], bias: &[f32]) -> Vec<f32> {
        assert_eq!(x.len() % self.inputs, 0, "rows of {} numbers", self.inputs);
        assert_eq!(bias.len(), self.outputs, "a bias of {} numbers", self.outputs);
        match &self.layout {
            #[cfg(target_arch = "x86_64")]
            Layout::Bf16 { forward, .. } => {
                bf16::product(&bf16::Rows::of_rows(x, self.inputs), forward, Some(bias))
            }
            Layout::Full(weight) => full::forward(x, weight, bias, self.inputs),
        }
    }

    /// Returns the gradients at `x`, given that of the result. The matrix must be laid out for it.
    ///
    /// # Panics
    /// When `x` and `grad` have not as many rows.
    #[must_use]
    pub fn backward(&self, x: &[f32], grad: &[f32]) -> LinearGrad {
        let rows = x.len() / self.inputs;
        assert_eq!(grad.len(), rows * self.outputs, "{rows} rows of {} numbers", self.outputs);
        let mut bias = vec![0.0; self.outputs];
        add_rows(grad, &mut bias);
        let (x_grad, weight) = match &self.layout {
            #[cfg(target_arch = "x86_64")]
            Layout::Bf16 { backward, .. } => {
                let Some(backward) = backward else { panic!("not laid out for gradients") };
                let of_x = bf16::product(&bf16::Rows::of_rows(grad, self.outputs), backward, None);
                let columns = bf16::Rows::of_columns(grad, self.outputs);
                let panels = bf16::Panels::of_columns(x, self.inputs);
                (of_x, bf16::product(&columns, &panels, None))
            }
            Layout::Full(weight) => full::backward(x, weight, grad, self.inputs),
        };
        LinearGrad { x: x_grad, weight, bias }
    }
}

/// Returns the gradient of a layer's weights in f32, given rows `x` of `inputs` numbers and the
/// gradient of its result.
///
/// # Panics
/// When `x` and `grad` have not as many rows.
#[must_use]
pub fn weight_grad(x: &[f32], inputs: usize, grad: &[f32], outputs: usize) -> Vec<f32> {
    assert_eq!(x.len() / inputs, grad.len() / outputs, "as many rows");
    full::weight_grad(x, inputs, grad, outputs)
}

dispatch! {
    /// Returns `x Wᵀ + bias` in f32, each number as a sum of its own in one order: whatever rows are beside
    /// it, it is the same bit for bit. For matrices too small to lay out.
    pub fn small_linear(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> = small_linear_body
}

#[inline(always)]
fn small_linear_body<M: MulAdd>(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let inputs = weight.len() / bias.len();
    let mut out = Vec::with_capacity(x.len() / inputs * bias.len());
    for row in x.chunks_exact(inputs) {
        for (weights, bias) in weight.chunks_exact(inputs).zip(bias) {
            out.push(sum2(row, weights, |a, b, sum| M::mul_add(a, b, sum)) + bias);
        }
    }
    out
}

dispatch! {
    /// Adds rows as long as `sum` to it.
    fn add_rows(rows: &[f32], sum: &mut [f32]) = add_rows_body
}

#[inline(always)]
fn add_rows_body<M: MulAdd>(rows: &[f32], sum: &mut [f32]) {
    for row in rows.chunks_exact(sum.len()) {
        for (sum, x) in sum.iter_mut().zip(row) {
            *sum += x;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers between -1 and 1 by Marsaglia's xorshift.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    /// `a` times the transpose of `b`, both rows of `k` numbers, in f64; `at` indexes them.
    fn naive(
        (m, n, k): (usize, usize, usize),
        a: impl Fn(usize, usize) -> f32,
        b: impl Fn(usize, usize) -> f32,
    ) -> Vec<f64> {
        let dot = |i: usize, j: usize| -> f64 {
            (0..k).map(|l| f64::from(a(i, l)) * f64::from(b(j, l))).sum()
        };
        (0..m * n).map(|at| dot(at / n, at % n)).collect()
    }

    fn close(found: &[f32], wanted: &[f64], tolerance: f64) -> Result<(), TestCaseError> {
        prop_assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(wanted) {
            prop_assert!((f64::from(*found) - wanted).abs() < tolerance, "{found} {wanted}");
        }
        Ok(())
    }

    fn precisions() -> Vec<(Precision, f64)> {
        let mut all = vec![(Precision::Full, 1e-6)];
        if has_bf16() {
            all.push((Precision::Bf16, 4e-3));
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn layers_and_gradients_agree_with_the_definition(
            rows in 1_usize..40, outputs in 1_usize..150, inputs in 1_usize..90, seed: u32
        ) {
            let x = numbers(rows * inputs, seed);
            let weight = numbers(outputs * inputs, seed ^ 1);
            let bias = numbers(outputs, seed ^ 2);
            let grad = numbers(rows * outputs, seed ^ 3);
            for (precision, unit) in precisions() {
                let packed = Packed::with(precision, &weight, (outputs, inputs), true);
                let mut wanted = naive(
                    (rows, outputs, inputs),
                    |i, l| x[i * inputs + l],
                    |j, l| weight[j * inputs + l],
                );
                for (at, y) in wanted.iter_mut().enumerate() {
                    *y += f64::from(bias[at % outputs]);
                }
                // Rounding errors add up like a random walk; 4 is generous.
                let allowed = |terms: usize| 4.0 * unit * (terms as f64).sqrt().max(1.0);
                close(&packed.forward(&x, &bias), &wanted, allowed(inputs))?;
                close(&small_linear(&x, &weight, &bias), &wanted, 4e-6 * (inputs as f64).sqrt())?;
                let found = packed.backward(&x, &grad);
                let of_x = naive(
                    (rows, inputs, outputs),
                    |i, l| grad[i * outputs + l],
                    |j, l| weight[l * inputs + j],
                );
                close(&found.x, &of_x, allowed(outputs))?;
                let of_weight = naive(
                    (outputs, inputs, rows),
                    |i, l| grad[l * outputs + i],
                    |j, l| x[l * inputs + j],
                );
                close(&found.weight, &of_weight, allowed(rows))?;
                let of_bias: Vec<f64> = (0..outputs)
                    .map(|o| (0..rows).map(|r| f64::from(grad[r * outputs + o])).sum())
                    .collect();
                close(&found.bias, &of_bias, 1e-4)?;
            }
        }

        #[test]
        fn in_bf16_a_row_does_not_depend_on_its_neighbours(rows in 2_usize..30, seed: u32) {
            prop_assume!(has_bf16());
            let (outputs, inputs) = (70, 50);
            let weight = numbers(outputs * inputs, seed);
            let packed = Packed::with(Precision::Bf16, &weight, (outputs, inputs), false);
            let (x, bias) = (numbers(rows * inputs, seed ^ 1), numbers(outputs, seed ^ 2));
            let together = packed.forward(&x, &bias);
            for row in 0..rows {
                let alone = packed.forward(&x[row * inputs..][..inputs], &bias);
                prop_assert_eq!(&together[row * outputs..][..outputs], &alone[..]);
            }
        }
    }

    #[test]
    fn no_rows_give_no_result_and_gradients_of_zero() {
        for (precision, _) in precisions() {
            let packed = Packed::with(precision, &[1.0; 6], (2, 3), true);
            assert!(packed.forward(&[], &[0.0; 2]).is_empty());
            let found = packed.backward(&[], &[]);
            assert_eq!((found.x.len(), found.weight, found.bias), (0, vec![0.0; 6], vec![0.0; 2]));
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so_and_infinity_stays_infinite() {
        let packed = Packed::new(&[1.0; 8], (2, 4), true);
        let y = packed.forward(&[f32::NAN, 0.0, 0.0, 0.0, f32::INFINITY, 0.0, 0.0, 0.0], &[0.0; 2]);
        assert!(y[0].is_nan() && y[1].is_nan());
        assert_eq!(y[2..], [f32::INFINITY; 2]);
    }
}
