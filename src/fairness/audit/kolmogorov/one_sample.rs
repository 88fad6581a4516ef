//! The greatest distance of one sample from its own law, for any size of the sample.
//!
//! Which of four methods is used where follows R. Simard, P. L'Ecuyer, Computing the two-sided
//! Kolmogorov-Smirnov distribution, Journal of Statistical Software 39 (2011) issue 11.

use std::f64::consts::PI;

use statrs::function::factorial::ln_binomial;

/// Samples up to this size are computed exactly.
const EXACT_COUNT_MAX: u64 = 140;
/// Beyond this `n d²` of an exact size, twice the one-sided tail misses less than rounding does.
const EXACT_SPREAD_MAX: f64 = 4.0;
/// The same for larger samples.
const LARGE_SPREAD_MAX: f64 = 2.2;
/// Beyond this `n d²` the tail is below the least number there is.
const SPREAD_MAX: f64 = 370.0;
/// Below this `n √d³` large samples are computed by the matrix.
const MATRIX_MAX: f64 = 1.4;
/// Below this logarithm the first term of the expansion vanishes.
const LOG_MIN: f64 = -708.0;
/// Where numbers of the matrix are scaled down, a power of two so that no digit is lost.
const SCALE: f64 = (1_u128 << 127) as f64;

/// Returns the probability that a sample of `count` lies at least `distance` from its law; `None`
/// without a sample.
pub(in crate::fairness::audit) fn one_sample_tail(count: u64, distance: f64) -> Option<f64> {
    let n = count as f64;
    let steps = n * distance;
    let probability = match count {
        0 => return None,
        _ if distance >= 1.0 => 0.0,
        _ if steps <= 0.5 => 1.0,
        // Closed forms at both ends, by Ruben and Gambino (1982).
        _ if steps <= 1.0 => {
            let factors = (1..=count).map(|i| (i as f64 / n * (2.0 * steps - 1.0)).ln());
            1.0 - factors.sum::<f64>().exp()
        }
        _ if steps >= n - 1.0 => 2.0 * (1.0 - distance).powf(n),
        _ if distance >= 0.5 => 2.0 * one_sided_tail(count, distance),
        _ => middle(count, distance),
    };
    Some(probability.clamp(0.0, 1.0))
}

fn middle(count: u64, distance: f64) -> f64 {
    let spread = count as f64 * distance * distance;
    let exact = count <= EXACT_COUNT_MAX;
    if spread >= SPREAD_MAX && !exact {
        0.0
    } else if spread > (if exact { EXACT_SPREAD_MAX } else { LARGE_SPREAD_MAX }) {
        2.0 * one_sided_tail(count, distance)
    } else if exact || count as f64 * distance.powf(1.5) <= MATRIX_MAX {
        1.0 - by_matrix(count, distance)
    } else {
        1.0 - by_expansion(count as f64, distance)
    }
}

/// Returns the probability that the sample's distribution function exceeds the law's by `distance`.
///
/// `d Σ C(n, j) (d + j/n)ʲ⁻¹ (1 - d - j/n)ⁿ⁻ʲ` over `j ≤ n (1 - d)`: all terms are positive.
///
/// Source: Z. W. Birnbaum, F. H. Tingey, Annals of Mathematical Statistics 22 (1951) 592–596.
fn one_sided_tail(count: u64, distance: f64) -> f64 {
    let n = count as f64;
    let term = |j: u64| {
        let share = distance + j as f64 / n;
        let rest = (count - j) as f64;
        let left = 1.0 - share;
        let power = match left {
            left if left > 0.0 => rest * left.ln(),
            _ if rest > 0.0 => return 0.0,
            _ => 0.0,
        };
        (ln_binomial(count, j) + (j as f64 - 1.0) * share.ln() + power).exp()
    };
    let sum: f64 = (0..=count).take_while(|j| *j as f64 <= n * (1.0 - distance)).map(term).sum();
    distance * sum
}

/// Returns the probability of a smaller distance, exactly, as an element of a power of a matrix.
///
/// Source: G. Marsaglia, W. W. Tsang, J. Wang, Evaluating Kolmogorov's distribution, Journal of
/// Statistical Software 8 (2003) issue 18, after J. Durbin (1968).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen at most")]
fn by_matrix(count: u64, distance: f64) -> f64 {
    let n = count as f64;
    let steps = n * distance;
    let k = steps.ceil() as usize;
    let base = durbin(k, k as f64 - steps);
    let mut power = Scaled { cells: identity(base.len()), scalings: 0 };
    let mut square = Scaled { cells: base, scalings: 0 };
    let mut left = count;
    while left > 0 {
        if left % 2 == 1 {
            power = power.times(&square, k - 1);
        }
        square = square.times(&square, k - 1);
        left /= 2;
    }
    // n! / nⁿ, factor by factor, so that the product stays in range.
    let mut logarithm = power.cells[k - 1][k - 1].ln() + f64::from(power.scalings) * SCALE.ln();
    logarithm += (1..=count).map(|i| (i as f64 / n).ln()).sum::<f64>();
    logarithm.exp()
}

type Matrix = Vec<Vec<f64>>;

/// A matrix that has been divided by [`SCALE`] so many times.
struct Scaled {
    cells: Matrix,
    scalings: i32,
}

impl Scaled {
    /// Multiplies, and scales by the size of the element in the middle.
    fn times(&self, other: &Self, middle: usize) -> Self {
        let size = self.cells.len();
        let mut cells = vec![vec![0.0; size]; size];
        for (row, from) in cells.iter_mut().zip(&self.cells) {
            for (factor, others) in from.iter().zip(&other.cells) {
                for (cell, value) in row.iter_mut().zip(others) {
                    *cell += factor * value;
                }
            }
        }
        let mut scalings = self.scalings + other.scalings;
        if cells[middle][middle] > SCALE {
            cells.iter_mut().flatten().for_each(|cell| *cell /= SCALE);
            scalings += 1;
        }
        Self { cells, scalings }
    }
}

fn identity(size: usize) -> Matrix {
    (0..size).map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect()).collect()
}

/// Returns Durbin's matrix for a distance of `k - h` steps.
fn durbin(k: usize, h: f64) -> Matrix {
    let size = 2 * k - 1;
    // 1 / i!
    let inverse: Vec<f64> =
        std::iter::successors(Some((1.0, 1.0)), |(value, i)| Some((value / i, i + 1.0)))
            .map(|(value, _)| value)
            .take(size + 1)
            .collect();
    let power = |exponent: usize| h.powf(exponent as f64);
    let edge: Vec<f64> = (1..size).map(|i| (1.0 - power(i)) * inverse[i]).collect();
    let twice = (2.0 * h - 1.0).max(0.0).powf(size as f64);
    let corner = (1.0 - 2.0 * power(size) + twice) * inverse[size];
    let mut cells = vec![vec![0.0; size]; size];
    for (i, row) in cells.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate().skip(1).take_while(|(j, _)| *j <= i + 1) {
            *cell = inverse[i + 1 - j];
        }
        row[0] = edge.get(i).copied().unwrap_or(corner);
    }
    for (cell, value) in cells[size - 1].iter_mut().skip(1).zip(edge.iter().rev()) {
        *cell = *value;
    }
    cells
}

/// Returns the probability of a smaller distance by an expansion to the order `n^(-3/2)`.
///
/// Source: W. Pelz, I. J. Good, Journal of the Royal Statistical Society B 38 (1976) 152–156.
fn by_expansion(n: f64, distance: f64) -> f64 {
    let z = n.sqrt() * distance;
    let exponent = -PI * PI / 8.0 / (z * z);
    if exponent < LOG_MIN {
        return 0.0;
    }
    let (z2, z4, z6, z8) = (z.powi(2), z.powi(4), z.powi(6), z.powi(8));
    let (p2, p4, p6) = (PI.powi(2), PI.powi(4), PI.powi(6));
    let mut orders = [0.0; 4];
    let terms = (16.0 * z / PI).ceil();
    let mut k = 1.0;
    while k <= terms {
        let m2 = (2.0 * k - 1.0_f64).powi(2);
        let (m4, m6) = (m2 * m2, m2 * m2 * m2);
        let weight = (exponent * m2).exp();
        let second = 6.0 * z6
            + 2.0 * z4
            + (2.0 * z4 - 5.0 * z2) * p2 / 4.0 * m2
            + p4 * (1.0 - 2.0 * z2) / 16.0 * m4;
        let third = -30.0 * z6 - 90.0 * z8
            + p2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
            + p4 * (-60.0 * z2 + 212.0 * z4) / 16.0 * m4
            + p6 * (5.0 - 30.0 * z2) / 64.0 * m6;
        let values = [1.0, -z2 + p2 / 4.0 * m2, second, third];
        orders.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        let (k2, even) = (k * k, (4.0 * exponent * k * k).exp());
        // Terms over all whole numbers, scaled as the sums above will be divided below.
        orders[2] += even * k2 * p2 * (72.0 * z.powi(7)) / (-36.0 * z.powi(3));
        let factor = (3.0 * z2 - k2 * p2) * k2 * p2;
        orders[3] += even * factor * (6480.0 * z.powi(10)) / (216.0 * z6);
        k += 1.0;
    }
    let divisors = [z, 6.0 * z4, 72.0 * z.powi(7), 6480.0 * z.powi(10)];
    let powers = [1.0, n.sqrt(), n, n * n.sqrt()];
    let sum: f64 = orders.iter().zip(divisors).zip(powers).map(|((s, d), p)| s / d / p).sum();
    sum * (2.0 * PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marsaglia_tsang_and_wangs_example_is_met() {
        // G. Marsaglia, W. W. Tsang, J. Wang (2003): K(10, 0.274) = 0.6284796154565.
        let found = 1.0 - one_sample_tail(10, 0.274).unwrap();
        assert!((found - 0.628_479_615_456_5).abs() < 1e-12, "{found}");
    }

    #[test]
    fn the_methods_agree_where_they_meet() {
        for n in [10, 50, 140] {
            let d = (EXACT_SPREAD_MAX / n as f64).sqrt();
            let (exact, tail) = (1.0 - by_matrix(n, d), 2.0 * one_sided_tail(n, d));
            assert!((exact - tail).abs() < 1e-6 * tail, "{n}: {exact} {tail}");
        }
        for n in [141, 700, 2000] {
            let d = (LARGE_SPREAD_MAX / n as f64).sqrt();
            let (expansion, tail) = (1.0 - by_expansion(n as f64, d), 2.0 * one_sided_tail(n, d));
            assert!((expansion - tail).abs() < 1e-4 * tail, "{n}: {expansion} {tail}");
            let d = (MATRIX_MAX / n as f64).powf(2.0 / 3.0);
            let (exact, expansion) = (by_matrix(n, d), by_expansion(n as f64, d));
            assert!((exact - expansion).abs() < 1e-5, "{n}: {exact} {expansion}");
        }
    }

    #[test]
    fn the_ends_are_certain() {
        assert_eq!(one_sample_tail(0, 0.5), None);
        assert_eq!(one_sample_tail(5, 1.0), Some(0.0));
        assert_eq!(one_sample_tail(5, 0.1), Some(1.0));
        // Of one value: at least d from its law with probability 2 - 2 d.
        assert!((one_sample_tail(1, 0.75).unwrap() - 0.5).abs() < 1e-12);
    }
}
