//! Sums and products, number by number.

use crate::simd::{MulAdd, dispatch};

dispatch! {
    /// Adds `y` to `x`.
    pub fn add(x: &mut [f32], y: &[f32]) = add_body
}

dispatch! {
    /// Multiplies `x` by `y`.
    pub fn multiply(x: &mut [f32], y: &[f32]) = multiply_body
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
    }
}
