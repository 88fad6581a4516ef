//! Tokens as rows of whole numbers.

use super::GROUP;
use crate::{
    gelu::rough_gelu,
    simd::{MulAdd, dispatch},
};

/// Rows of whole numbers of eight bits, each with the scale that undoes it. Its memory is kept from one
/// use to the next.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    width: usize,
    /// Groups of a row; the last is filled up with zeros.
    groups: usize,
    data: Vec<[i8; GROUP]>,
    scales: Vec<f32>,
    /// The sum of each row.
    sums: Vec<i32>,
}

impl Rows {
    /// Takes rows of `width` numbers, in place of what was there.
    ///
    /// A row that holds an infinity or what is not a number becomes one of which every product is not a
    /// number.
    ///
    /// # Panics
    /// When `x` is not whole rows.
    pub fn round(&mut self, x: &[f32], width: usize) {
        self.make_room(x.len(), width);
        round(x, self);
    }

    /// Takes the GELU of rows of `width` numbers, in place of what was there; `x` is used up.
    ///
    /// # Panics
    /// When `x` is not whole rows.
    pub fn round_gelu(&mut self, x: &mut [f32], width: usize) {
        self.make_room(x.len(), width);
        round_gelu(x, self);
    }

    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.scales.len()
    }

    /// Returns how many numbers each has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    pub(super) fn row(&self, index: usize) -> &[[i8; GROUP]] {
        &self.data[index * self.groups..][..self.groups]
    }

    pub(super) fn scale(&self, index: usize) -> f32 {
        self.scales[index]
    }

    /// Returns what a sum of products starts from, weights being 128 too large.
    pub(super) fn start(&self, index: usize) -> i32 {
        -128 * self.sums[index]
    }

    fn make_room(&mut self, len: usize, width: usize) {
        assert!(width > 0 && len.is_multiple_of(width), "rows of {width} numbers");
        let (count, groups) = (len / width, width.div_ceil(GROUP));
        if self.groups * GROUP != self.width || width != self.width {
            // The ends of rows are zeros only where no other row's numbers were.
            self.data.clear();
        }
        (self.width, self.groups) = (width, groups);
        self.data.resize(count * groups, [0; GROUP]);
        self.scales.resize(count, 0.0);
        self.sums.resize(count, 0);
    }
}

dispatch! { fn round(x: &[f32], out: &mut Rows) = round_body }
dispatch! { fn round_gelu(x: &mut [f32], out: &mut Rows) = round_gelu_body }

#[inline(always)]
fn round_body<M: MulAdd>(x: &[f32], out: &mut Rows) {
    for (index, row) in x.chunks_exact(out.width).enumerate() {
        round_row::<M>(row, index, out);
    }
}

#[inline(always)]
fn round_gelu_body<M: MulAdd>(x: &mut [f32], out: &mut Rows) {
    for (index, row) in x.chunks_exact_mut(out.width).enumerate() {
        rough_gelu::<M>(row);
        round_row::<M>(row, index, out);
    }
}

#[inline(always)]
fn round_row<M: MulAdd>(row: &[f32], index: usize, out: &mut Rows) {
    // Adding and taking away 1.5 * 2^23 rounds to a whole number in every instruction set; it then stands
    // in the last bits.
    const ROUND: f32 = 12_582_912.0;
    let largest = largest(row);
    // Where 127 over the largest is infinite, the row is too small to be told from zeros.
    let steps = if largest > 1e-36 { 127.0 / largest } else { 0.0 };
    let to = out.data[index * out.groups..][..out.groups].as_flattened_mut();
    let mut sum = 0_i32;
    for (to, x) in to.iter_mut().zip(row) {
        let bits = M::mul_add(*x, steps, ROUND).to_bits();
        #[expect(clippy::cast_possible_truncation, reason = "the last eight bits are the number")]
        let whole = bits as u8;
        *to = whole.cast_signed();
        sum += i32::from(*to);
    }
    out.sums[index] = sum;
    out.scales[index] = if largest.is_finite() { largest / 127.0 } else { f32::NAN };
}

/// Returns the largest magnitude; infinite where one is infinite or not a number.
#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    // As whole numbers, magnitudes have the same order, and what is not a number lies above infinity.
    let largest = row.iter().fold(0, |largest, x| largest.max(x.to_bits() & 0x7fff_ffff));
    f32::from_bits(largest.min(f32::INFINITY.to_bits()))
}
