//! Sums and products, number by number.

use crate::simd::{MulAdd, dispatch, sum2};

dispatch! {
    /// Adds `y` to `x`.
    pub fn add(x: &mut [f32], y: &[f32]) = add_body
}

dispatch! {
    /// Multiplies `x` by `y`.
    pub fn multiply(x: &mut [f32], y: &[f32]) = multiply_body
}

dispatch! {
    /// Scales rows of `width` numbers to length one; a row of zeros stays zeros.
    pub fn normalise_rows(x: &mut [f32], width: usize) = normalise_rows_body
}

#[inline(always)]
fn normalise_rows_body<M: MulAdd>(x: &mut [f32], width: usize) {
    for row in x.chunks_exact_mut(width) {
        let square = sum2(row, row, |a, b, sum| M::mul_add(a, b, sum));
        // The small number is that of training, where it keeps a gradient finite.
        let scale = 1.0 / (square + 1e-12).sqrt();
        row.iter_mut().for_each(|x| *x *= scale);
    }
}

#[inline(always)]
fn add_body<M: MulAdd>(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

#[inline(always)]
fn multiply_body<M: MulAdd>(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x *= y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_are_those_worked_out_by_hand() {
        let mut x = vec![1.0, 2.0, 3.0];
        add(&mut x, &[0.5, 0.0, -3.0]);
        multiply(&mut x, &[2.0, -1.0, 7.0]);
        assert_eq!(x, [3.0, -2.0, 0.0]);
        let mut rows = [3.0, 0.0, -4.0, 0.0, 0.0, 0.0];
        normalise_rows(&mut rows, 3);
        for (found, wanted) in rows.iter().zip([0.6, 0.0, -0.8, 0.0, 0.0, 0.0]) {
            assert!((found - wanted).abs() < 1e-6);
        }
    }
}
