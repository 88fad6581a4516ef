//! Penalised regressions, to their minimum: multinomial logistic, or least squares.

use evenhand_kernels::matmul::{Packed, Precision, weight_grad};

use super::lbfgs::{Stop, minimise};

/// Good enough for probabilities to three digits.
const STOP: Stop = Stop { steps: 200, slope: 2e-5 };

/// What is made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Cross-entropy with wanted shares, whose rows sum to one.
    Shares,
    /// Cross-entropy of each class on its own with what is wanted of it, 0 to 1, summed over classes.
    Each,
    /// Half the squared distance from wanted numbers.
    Squares,
}

/// Texts to fit to.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// Features, rows of `width` numbers.
    pub x: &'a [f32],
    /// Numbers of a row.
    pub width: usize,
    /// What is wanted, rows of `classes`.
    pub wanted: &'a [f32],
    /// Labels.
    pub classes: usize,
    /// How much each row counts.
    pub weights: &'a [f32],
    /// What is made small.
    pub loss: Loss,
}

/// Weights, classes by width, and one bias a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// Classes by width.
    pub weight: Vec<f32>,
    /// One a class.
    pub bias: Vec<f32>,
}

impl Solution {
    /// Returns the logits of one row.
    #[must_use]
    pub fn logits(&self, x: &[f32]) -> Vec<f32> {
        let rows = self.weight.chunks(x.len());
        let dot = |row: &[f32]| row.iter().zip(x).map(|(a, b)| a * b).sum::<f32>();
        rows.zip(&self.bias).map(|(row, bias)| dot(row) + bias).collect()
    }
}

impl Problem<'_> {
    /// Returns zeros, where a search may start.
    #[must_use]
    pub fn start(&self) -> Solution {
        Solution { weight: vec![0.0; self.classes * self.width], bias: vec![0.0; self.classes] }
    }

    /// Minimises the mean loss plus half of `penalty` times the squared weights, from `start` on.
    #[must_use]
    pub fn solve(&self, penalty: f64, start: &Solution) -> Solution {
        let mut at: Vec<f64> =
            start.weight.iter().chain(&start.bias).copied().map(f64::from).collect();
        let total: f64 = self.weights.iter().copied().map(f64::from).sum();
        minimise(&mut at, STOP, |at| self.value(at, penalty, total.max(1e-12)));
        self.solution(&at)
    }

    fn solution(&self, at: &[f64]) -> Solution {
        let narrow = |x: &[f64]| x.iter().map(|x| narrow(*x)).collect();
        let (weight, bias) = at.split_at(self.classes * self.width);
        Solution { weight: narrow(weight), bias: narrow(bias) }
    }

    fn value(&self, at: &[f64], penalty: f64, total: f64) -> (f64, Vec<f64>) {
        let Solution { weight, bias } = self.solution(at);
        let shape = (self.classes, self.width);
        let mut slopes =
            Packed::with(Precision::Full, &weight, shape, false).forward(self.x, &bias);
        let mut value = 0.0;
        let rows = slopes.chunks_exact_mut(self.classes);
        for ((row, wanted), weight) in rows.zip(self.wanted.chunks(self.classes)).zip(self.weights)
        {
            let loss = match self.loss {
                Loss::Shares => entropy_and_slopes(row, wanted),
                Loss::Each => each_and_slopes(row, wanted),
                Loss::Squares => square_and_slopes(row, wanted),
            };
            value += f64::from(*weight) * loss;
            row.iter_mut().for_each(|slope| *slope *= weight / narrow(total));
        }
        let of_weight = weight_grad(self.x, self.width, &slopes, self.classes);
        let mut gradient: Vec<f64> = of_weight.into_iter().map(f64::from).collect();
        let mut square = 0.0;
        for (gradient, weight) in gradient.iter_mut().zip(at) {
            *gradient += penalty * weight;
            square += weight * weight;
        }
        let mut of_bias = vec![0.0; self.classes];
        for row in slopes.chunks_exact(self.classes) {
            of_bias.iter_mut().zip(row).for_each(|(sum, slope)| *sum += f64::from(*slope));
        }
        gradient.extend(of_bias);
        (value / total + penalty / 2.0 * square, gradient)
    }
}

/// Turns a row of logits into the slopes of its cross-entropy; returns that.
fn entropy_and_slopes(row: &mut [f32], wanted: &[f32]) -> f64 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut loss = 0.0;
    let mut sum = 0.0;
    for (x, wanted) in row.iter_mut().zip(wanted) {
        loss -= f64::from(wanted * (*x - largest));
        *x = (*x - largest).exp();
        sum += *x;
    }
    for (x, wanted) in row.iter_mut().zip(wanted) {
        *x = *x / sum - wanted;
    }
    loss + f64::from(sum).ln()
}

/// Turns a row of logits into the slopes of the cross-entropies of its classes; returns their sum.
fn each_and_slopes(row: &mut [f32], wanted: &[f32]) -> f64 {
    let mut loss = 0.0;
    for (x, wanted) in row.iter_mut().zip(wanted) {
        // ln(1 + exp(x)) - wanted x, without overflow.
        loss += f64::from(x.max(0.0) + (-x.abs()).exp().ln_1p() - wanted * *x);
        *x = 1.0 / (1.0 + (-*x).exp()) - wanted;
    }
    loss
}

/// Turns a row of numbers into the slopes of half its squared distance from what is wanted; returns that.
fn square_and_slopes(row: &mut [f32], wanted: &[f32]) -> f64 {
    let mut sum = 0.0;
    for (x, wanted) in row.iter_mut().zip(wanted) {
        *x -= wanted;
        sum += f64::from(*x * *x) / 2.0;
    }
    sum
}

#[expect(clippy::cast_possible_truncation, reason = "features are f32")]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solve(loss: Loss, wanted: &[f32], classes: usize, penalty: f64) -> Solution {
        let x = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, -1.0, 0.5];
        let problem =
            Problem { x: &x, width: 2, wanted, classes, weights: &[1.0, 1.0, 2.0, 1.0], loss };
        problem.solve(penalty, &problem.start())
    }

    #[test]
    fn at_the_minimum_the_slopes_are_zero() {
        let wanted = [1.0, 0.0, 0.0, 1.0, 0.5, 0.5, 0.0, 1.0];
        let Solution { weight, bias } = solve(Loss::Shares, &wanted, 2, 0.1);
        // Two classes mirror each other, and the penalised slope of the first weight is zero:
        // the share that is missing, times x, over all rows, equals the penalty times the weight.
        assert!((weight[0] + weight[2]).abs() < 1e-3 && (weight[1] + weight[3]).abs() < 1e-3);
        let x = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.5]];
        let counts = [1.0, 1.0, 2.0, 1.0];
        for side in 0..2 {
            let mut slope = 0.0;
            for (row, x) in x.iter().enumerate() {
                let logit = |class: usize| {
                    weight[class * 2] * x[0] + weight[class * 2 + 1] * x[1] + bias[class]
                };
                let share = 1.0 / (1.0 + (logit(1) - logit(0)).exp());
                slope += counts[row] / 5.0 * (share - wanted[row * 2]) * x[side];
            }
            assert!((slope + 0.1 * weight[side]).abs() < 1e-3, "{slope}");
        }
    }

    #[test]
    fn each_class_on_its_own_is_a_regression_of_two_classes() {
        let wanted = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0];
        let each = solve(Loss::Each, &wanted, 2, 0.1);
        for class in 0..2 {
            let two: Vec<f32> =
                wanted.chunks(2).flat_map(|row| [row[class], 1.0 - row[class]]).collect();
            // Two classes share the penalty: the difference of their weights has half of it.
            let Solution { weight, bias } = solve(Loss::Shares, &two, 2, 0.2);
            for side in 0..2 {
                let found = each.weight[class * 2 + side];
                assert!((found - (weight[side] - weight[2 + side])).abs() < 2e-3, "{found}");
            }
            assert!((each.bias[class] - (bias[0] - bias[1])).abs() < 2e-3);
        }
    }

    #[test]
    fn least_squares_without_a_penalty_finds_the_line() {
        // 2 a - b + 0.5
        let wanted = [2.5, -0.5, 1.5, -2.0];
        let Solution { weight, bias } = solve(Loss::Squares, &wanted, 1, 1e-9);
        for (found, wanted) in weight.iter().chain(&bias).zip([2.0, -1.0, 0.5]) {
            assert!((found - wanted).abs() < 1e-2, "{found} {wanted}");
        }
    }
}
