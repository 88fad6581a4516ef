//! Sixteen numbers at once.

use std::marker::PhantomData;

use super::{LANES, MulAdd};

/// Sixteen numbers, for loops that the compiler does not turn into vectors by itself.
pub(crate) trait Vector: Copy {
    /// Whether a dozen of them, and a few more, have room in the registers.
    const ROOMY: bool;

    /// Returns a number sixteen times.
    fn splat(x: f32) -> Self;
    /// Takes sixteen numbers.
    fn load(from: &[f32; LANES]) -> Self;
    /// Puts the numbers down.
    fn store(self, to: &mut [f32; LANES]);
    /// Returns `self * b + c`.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// Returns the sums.
    fn add(self, other: Self) -> Self;
    /// Returns the differences.
    fn sub(self, other: Self) -> Self;
    /// Returns the products.
    fn mul(self, other: Self) -> Self;
    /// Returns the larger numbers; those of `other` where one is not a number.
    fn max(self, other: Self) -> Self;
    /// Returns the numbers, which are about one, times two to the power of the whole numbers in the last
    /// bits of `by`.
    fn times_power(self, by: Self) -> Self;
    /// Returns the first `count` numbers, and those of `other` in place of the rest.
    fn keep(self, count: usize, other: Self) -> Self;
    /// Returns the sum of the numbers.
    fn sum(self) -> f32;
    /// Returns the largest number.
    fn largest(self) -> f32;
    /// Swaps rows and columns.
    fn transpose(square: &mut [Self; LANES]);
}

/// Returns `2^x` to about one unit in the last place, for numbers from -126 to 0.
#[inline(always)]
pub(crate) fn power_below<V: Vector>(x: V) -> V {
    // Adding and taking away 1.5 * 2^23 rounds to a whole number in every instruction set.
    let round = V::splat(12_582_912.0);
    let shifted = x.add(round);
    let rest = x.sub(shifted.sub(round));
    // The polynomial of degree five whose largest relative error on [-1/2, 1/2] is the least.
    let mut p = V::splat(POWER[0]);
    for next in &POWER[1..] {
        p = p.mul_add(rest, V::splat(*next));
    }
    p.times_power(shifted)
}

/// Coefficients of [`power_below`].
const POWER: [f32; 6] =
    [1.327_646_4e-3, 9.675_542e-3, 5.550_713_5e-2, 0.240_221_2, 0.693_146_94, 1.000_000_1];

/// Numbers in an array, with `M`'s way to multiply and add.
pub(crate) struct Plain<M>([f32; LANES], PhantomData<M>);

impl<M> Clone for Plain<M> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Plain<M> {}

impl<M> Plain<M> {
    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for lane in 0..LANES {
            self.0[lane] = f(self.0[lane], other.0[lane]);
        }
        self
    }

    /// Folds halves upon halves.
    #[inline(always)]
    fn fold(mut self, f: impl Fn(f32, f32) -> f32) -> f32 {
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                self.0[lane] = f(self.0[lane], self.0[lane + half]);
            }
            half /= 2;
        }
        self.0[0]
    }
}

/// Returns the larger of two numbers; the second where one is none.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

impl<M: MulAdd> Vector for Plain<M> {
    const ROOMY: bool = false;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([x; LANES], PhantomData)
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        Self(*from, PhantomData)
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        *to = self.0;
    }

    #[inline(always)]
    fn mul_add(mut self, b: Self, c: Self) -> Self {
        for lane in 0..LANES {
            self.0[lane] = M::mul_add(self.0[lane], b.0[lane], c.0[lane]);
        }
        self
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, larger)
    }

    #[inline(always)]
    fn times_power(self, by: Self) -> Self {
        // The whole number is added to the exponent.
        self.zip(by, |x, by| f32::from_bits(x.to_bits().wrapping_add(by.to_bits() << 23)))
    }

    #[inline(always)]
    fn keep(mut self, count: usize, other: Self) -> Self {
        for lane in 0..LANES {
            self.0[lane] = if lane < count { self.0[lane] } else { other.0[lane] };
        }
        self
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        self.fold(|a, b| a + b)
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        self.fold(larger)
    }

    #[inline(always)]
    fn transpose(square: &mut [Self; LANES]) {
        for row in 0..LANES {
            for column in 0..row {
                let below = square[row].0[column];
                square[row].0[column] = square[column].0[row];
                square[column].0[row] = below;
            }
        }
    }
}
