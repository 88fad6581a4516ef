//! Linear layers in whole numbers of eight bits, for reading.
//!
//! Weights have one scale for each output, tokens one scale each, found when they are rounded; both are
//! symmetric, with steps of 1/127 of the largest magnitude. Products are added up in 32 bits, exactly, so
//! every instruction set and every batch gives the same sums.
//!
//! Weights are kept as `w + 128`, 0 to 255: the instructions multiply unsigned bytes, of which a whole
//! vector is loaded, by signed ones, of which four are repeated. What that adds to a sum, 128 times the sum
//! of the row, is taken away before the first product.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
mod portable;
mod rows;

use std::sync::Arc;

pub use rows::Rows;

use crate::memory::advise_large_pages;

/// Bytes that one lane of an instruction multiplies and adds up.
const GROUP: usize = 4;
/// Lanes of a line.
const LANES: usize = 16;
/// Lines of a panel side by side.
const LINES: usize = 4;
/// Outputs of a panel.
const PANEL: usize = LINES * LANES;
/// Most inputs whose sum of products fits into 32 bits, whatever they are.
pub const INPUTS_MAX: usize = 1 << 16;

/// Which instructions multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instructions {
    /// AVX-512 VNNI: 64 products an instruction.
    Avx512Vnni,
    /// AVX-VNNI: 32 products an instruction.
    AvxVnni,
    /// AVX2: 16 products an instruction.
    Avx2,
    /// Whatever the compiler makes of plain Rust.
    Portable,
}

impl Instructions {
    /// All, the fastest first.
    pub const ALL: [Self; 4] = [Self::Avx512Vnni, Self::AvxVnni, Self::Avx2, Self::Portable];

    /// Returns whether this processor has them.
    #[must_use]
    pub fn are_there(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return match self {
            Self::Avx512Vnni => crate::simd::has_v4() && is_x86_feature_detected!("avx512vnni"),
            Self::AvxVnni => {
                crate::simd::is_free()
                    && crate::simd::has_v3()
                    && is_x86_feature_detected!("avxvnni")
            }
            Self::Avx2 => crate::simd::has_v3(),
            Self::Portable => true,
        };
        #[cfg(not(target_arch = "x86_64"))]
        return self == Self::Portable;
    }

    /// Returns the fastest that this processor has.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|set| set.are_there()).unwrap_or(Self::Portable)
    }
}

/// The weights of four inputs for sixteen outputs; as long as a cache line, and never across two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
struct Line([[u8; GROUP]; LANES]);

/// A matrix of whole numbers.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Outputs by inputs, -127 to 127.
    pub whole: &'a [i8],
    /// One for each output.
    pub scales: &'a [f32],
}

/// A weight matrix, outputs by inputs, laid out for products.
#[derive(Clone, Debug)]
pub struct Weights {
    outputs: usize,
    /// Groups of inputs; the last is filled up with zeros.
    groups: usize,
    inputs: usize,
    /// Panel by panel, in each group by group, in each [`LINES`] lines; first those of this matrix.
    lines: Lines,
    /// One for each output, filled up with zeros to whole panels.
    scales: Vec<f32>,
}

/// Lines from one on, shared by matrices that are used one after the other.
#[derive(Clone, Debug)]
struct Lines {
    all: Arc<Vec<Line>>,
    first: usize,
}

impl Lines {
    fn as_slice(&self) -> &[Line] {
        &self.all[self.first..]
    }
}

impl Weights {
    /// Lays out a matrix.
    ///
    /// # Panics
    /// As [`Self::together`].
    #[must_use]
    pub fn new(matrix: Matrix<'_>) -> Self {
        Self::together(&[matrix]).remove(0)
    }

    /// Lays out matrices that are used one after the other: the end of one fetches the start of the next.
    ///
    /// # Panics
    /// When a matrix is not whole rows, or has no inputs or more than [`INPUTS_MAX`].
    #[must_use]
    pub fn together(matrices: &[Matrix<'_>]) -> Vec<Self> {
        let lines = |matrix: &Matrix<'_>| {
            matrix.scales.len().div_ceil(PANEL) * matrix.inputs().div_ceil(GROUP) * LINES
        };
        let count = matrices.iter().map(lines).sum();
        let mut all = Vec::with_capacity(count);
        advise_large_pages(&mut all);
        let mut firsts = Vec::new();
        for matrix in matrices {
            let first = all.len();
            firsts.push(first);
            all.resize(first + lines(matrix), Line([[128; GROUP]; LANES]));
            matrix.lay_out(&mut all[first..]);
        }
        let all = Arc::new(all);
        let places = matrices.iter().zip(firsts);
        let weights = places.map(|(matrix, first)| {
            let (outputs, inputs) = (matrix.scales.len(), matrix.inputs());
            let mut scales = matrix.scales.to_vec();
            scales.resize(outputs.div_ceil(PANEL) * PANEL, 0.0);
            let lines = Lines { all: Arc::clone(&all), first };
            Self { outputs, groups: inputs.div_ceil(GROUP), inputs, lines, scales }
        });
        weights.collect()
    }

    /// Rounds `weight`, outputs by inputs, and lays it out.
    ///
    /// # Panics
    /// As [`Self::new`].
    #[must_use]
    pub fn rounded(weight: &[f32], (outputs, inputs): (usize, usize)) -> Self {
        assert_eq!(weight.len(), outputs * inputs, "weights of {outputs} by {inputs}");
        let (whole, scales) = round_rows(weight, inputs);
        Self::new(Matrix { whole: &whole, scales: &scales })
    }

    /// Returns outputs and inputs.
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        (self.outputs, self.inputs)
    }

    /// Fills `out`, rows by outputs, with `x Wᵀ + bias`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn forward(&self, x: &Rows, bias: &[f32], out: &mut [f32]) {
        self.forward_by(Instructions::best(), x, bias, out);
    }

    /// As [`Self::forward`], by instructions that the processor has.
    ///
    /// # Panics
    /// When the shapes do not fit or the instructions are not there.
    pub fn forward_by(&self, set: Instructions, x: &Rows, bias: &[f32], out: &mut [f32]) {
        assert_eq!(x.width(), self.inputs, "rows of {} numbers", self.inputs);
        assert_eq!(bias.len(), self.outputs, "a bias of {} numbers", self.outputs);
        assert_eq!(out.len(), x.count() * self.outputs, "room for {} rows", x.count());
        assert!(set.are_there(), "{set:?} on this processor");
        match set {
            // SAFETY: the processor was asked.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512Vnni => unsafe { avx512::product(x, self, bias, out) },
            // SAFETY: the processor was asked.
            #[cfg(target_arch = "x86_64")]
            Instructions::AvxVnni => unsafe { avx_vnni::product(x, self, bias, out) },
            // SAFETY: the processor was asked.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { avx2::product(x, self, bias, out) },
            _ => portable::product(x, self, bias, out),
        }
    }

    /// Returns the lines of each panel.
    fn panels(&self) -> impl Iterator<Item = &[Line]> {
        let panels = self.outputs.div_ceil(PANEL);
        self.lines.as_slice().chunks_exact(self.groups * LINES).take(panels)
    }
}

impl Matrix<'_> {
    fn inputs(&self) -> usize {
        let inputs = self.whole.len() / self.scales.len().max(1);
        assert_eq!(self.whole.len(), self.scales.len() * inputs, "whole rows");
        assert!((1..=INPUTS_MAX).contains(&inputs), "{inputs} inputs");
        inputs
    }

    fn lay_out(&self, lines: &mut [Line]) {
        let groups = self.inputs().div_ceil(GROUP);
        for (output, row) in self.whole.chunks_exact(self.inputs()).enumerate() {
            let (panel, column) = (output / PANEL, output % PANEL);
            for (group, some) in row.chunks(GROUP).enumerate() {
                let line = &mut lines[(panel * groups + group) * LINES + column / LANES];
                for (to, weight) in line.0[column % LANES].iter_mut().zip(some) {
                    *to = weight.cast_unsigned() ^ 128;
                }
            }
        }
    }
}

/// Returns whole numbers and, for each row of `width` values, the scale that undoes it: a row's largest
/// magnitude becomes 127.
#[must_use]
pub fn round_rows(values: &[f32], width: usize) -> (Vec<i8>, Vec<f32>) {
    let mut whole = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(values.len() / width.max(1));
    for row in values.chunks(width.max(1)) {
        let largest = row.iter().fold(0_f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        scales.push(scale);
        #[expect(clippy::cast_possible_truncation, reason = "rounded and within ±127")]
        whole.extend(row.iter().map(|value| (value / scale).round() as i8));
    }
    (whole, scales)
}

#[cfg(test)]
mod tests;
