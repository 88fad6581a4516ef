//! Products in plain Rust: what every other way must equal.

use super::{GROUP, LANES, LINES, PANEL, Rows, Weights};

/// Fills `out` with `x Wᵀ + bias`.
pub(super) fn product(x: &Rows, weights: &Weights, bias: &[f32], out: &mut [f32]) {
    for (index, panel) in weights.panels().enumerate() {
        let first = index * PANEL;
        for row in 0..x.count() {
            let mut sums = [[x.start(row); LANES]; LINES];
            for (four, lines) in x.row(row).iter().zip(panel.as_chunks::<LINES>().0) {
                for (sums, line) in sums.iter_mut().zip(lines) {
                    for lane in 0..LANES {
                        for part in 0..GROUP {
                            let weight = i32::from(line.0[lane][part]);
                            sums[lane] += weight * i32::from(four[part]);
                        }
                    }
                }
            }
            let out = &mut out[row * weights.outputs..(row + 1) * weights.outputs][first..];
            let scales = &weights.scales[first..];
            for (column, sum) in sums.as_flattened().iter().enumerate().take(out.len()) {
                out[column] = *sum as f32 * (scales[column] * x.scale(row)) + bias[first + column];
            }
        }
    }
}
