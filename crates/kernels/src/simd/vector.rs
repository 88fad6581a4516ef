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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Apart;

    /// Every operation against numbers one by one.
    fn assert_sound<V: Vector>() {
        let a: [f32; LANES] = std::array::from_fn(|k| (k as f32 * 1.7).sin() * 3.0);
        let b: [f32; LANES] = std::array::from_fn(|k| (k as f32 * 0.9).cos());
        let (x, y) = (V::load(&a), V::load(&b));
        let near = |found: V, wanted: &dyn Fn(usize) -> f32| {
            let mut numbers = [0.0; LANES];
            found.store(&mut numbers);
            for (lane, number) in numbers.iter().enumerate() {
                assert!((number - wanted(lane)).abs() < 1e-5, "{lane}: {number}");
            }
        };
        near(x.add(y), &|k| a[k] + b[k]);
        near(x.sub(y), &|k| a[k] - b[k]);
        near(x.mul(y), &|k| a[k] * b[k]);
        near(x.max(y), &|k| a[k].max(b[k]));
        near(x.mul_add(y, V::splat(0.5)), &|k| a[k] * b[k] + 0.5);
        for count in 0..=LANES + 2 {
            near(x.keep(count, y), &|k| if k < count { a[k] } else { b[k] });
        }
        assert!((x.sum() - a.iter().sum::<f32>()).abs() < 1e-5);
        assert!((x.largest() - a.iter().copied().fold(f32::MIN, f32::max)).abs() < 1e-6);
        near(power_below(V::splat(-3.3).mul(x.mul(x))), &|k| (-3.3 * a[k] * a[k]).exp2());
        let mut square: [V; LANES] =
            std::array::from_fn(|row| V::load(&std::array::from_fn(|k| (row * 100 + k) as f32)));
        V::transpose(&mut square);
        for (row, found) in square.into_iter().enumerate() {
            near(found, &|k| (k * 100 + row) as f32);
        }
    }

    #[test]
    fn every_kind_of_vector_is_sixteen_numbers() {
        assert_sound::<Plain<Apart>>();
        #[cfg(target_arch = "x86_64")]
        if crate::simd::has_v3() {
            assert_sound::<crate::simd::avx2::Vector256>();
        }
        #[cfg(target_arch = "x86_64")]
        if crate::simd::has_v4() {
            assert_sound::<crate::simd::avx512::Vector512>();
        }
    }
}
