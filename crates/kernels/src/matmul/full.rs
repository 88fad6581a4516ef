//! Products in f32, by the gemm crate.

use gemm::{Parallelism, gemm};

/// A matrix within a slice.
#[derive(Clone, Copy)]
struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> View<'a> {
    fn new(data: &'a [f32], columns: usize) -> Self {
        Self { data, rows: data.len() / columns, columns, row_step: columns, column_step: 1 }
    }

    fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
            ..self
        }
    }
}

/// Adds `a b` to `out`, whose rows are as long as `b` is wide.
fn add_product(a: View<'_>, b: View<'_>, out: &mut [f32]) {
    assert_eq!(a.columns, b.rows, "as many columns as rows");
    assert_eq!(out.len(), a.rows * b.columns, "{} by {}", a.rows, b.columns);
    let step = usize::cast_signed;
    // SAFETY: the steps stay within the slices, whose lengths `View` was made of, and `out` is ours.
    unsafe {
        gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            step(b.columns),
            true,
            a.data.as_ptr(),
            step(a.column_step),
            step(a.row_step),
            b.data.as_ptr(),
            step(b.column_step),
            step(b.row_step),
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Returns `x Wᵀ + bias`.
pub(super) fn forward(x: &[f32], weight: &[f32], bias: &[f32], inputs: usize) -> Vec<f32> {
    let mut y = bias.repeat(x.len() / inputs);
    add_product(View::new(x, inputs), View::new(weight, inputs).transposed(), &mut y);
    y
}

/// Returns the gradients of the rows and of the weights.
pub(super) fn backward(
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    inputs: usize,
) -> (Vec<f32>, Vec<f32>) {
    let grad = View::new(grad, weight.len() / inputs);
    let mut of_x = vec![0.0; x.len()];
    add_product(grad, View::new(weight, inputs), &mut of_x);
    let mut of_weight = vec![0.0; weight.len()];
    add_product(grad.transposed(), View::new(x, inputs), &mut of_weight);
    (of_x, of_weight)
}

/// Returns `gradᵀ x`, outputs by inputs.
pub(super) fn weight_grad(x: &[f32], inputs: usize, grad: &[f32], outputs: usize) -> Vec<f32> {
    let mut out = vec![0.0; outputs * inputs];
    add_product(View::new(grad, outputs).transposed(), View::new(x, inputs), &mut out);
    out
}
