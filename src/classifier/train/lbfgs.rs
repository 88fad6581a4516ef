//! Minimises a smooth function of many numbers: L-BFGS (Liu and Nocedal 1989) with backtracking.

use std::collections::VecDeque;

/// Steps that shape the next direction.
const MEMORY: usize = 10;
/// Share of the promised descent that a step must keep (Armijo).
const DESCENT: f64 = 1e-4;
/// Halvings of a step before it is given up.
const HALVINGS: usize = 25;

/// When it is good enough.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// Most steps.
    pub steps: usize,
    /// Largest slope, relative to the value.
    pub slope: f64,
}

/// Moves `x` to where `f`, which returns value and gradient, is least; returns the value.
pub fn minimise(x: &mut [f64], stop: Stop, mut f: impl FnMut(&[f64]) -> (f64, Vec<f64>)) -> f64 {
    let (mut value, mut gradient) = f(x);
    let mut memory: VecDeque<Pair> = VecDeque::new();
    for _ in 0..stop.steps {
        let steepest = gradient.iter().fold(0.0, |most, g| f64::max(most, g.abs()));
        if steepest <= stop.slope * value.abs().max(1.0) {
            break;
        }
        let direction = direction(&gradient, &memory);
        let descent = dot(&direction, &gradient);
        let mut length =
            if memory.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
        let mut found = None;
        for _ in 0..HALVINGS {
            let moved: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let (there, slope) = f(&moved);
            if there <= value + DESCENT * length * descent {
                found = Some((moved, there, slope));
                break;
            }
            length *= 0.5;
        }
        let Some((moved, there, slope)) = found else { break };
        let step: Vec<f64> = moved.iter().zip(x.iter()).map(|(to, from)| to - from).collect();
        let change: Vec<f64> = slope.iter().zip(&gradient).map(|(to, from)| to - from).collect();
        let curvature = dot(&step, &change);
        if curvature > 1e-12 * dot(&change, &change) {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back(Pair { step, change, curvature });
        }
        x.copy_from_slice(&moved);
        (value, gradient) = (there, slope);
    }
    value
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

/// The two-loop recursion: minus the inverse curvature, as the memory knows it, times the gradient.
fn direction(gradient: &[f64], memory: &VecDeque<Pair>) -> Vec<f64> {
    let mut d: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let share = dot(&pair.step, &d) / pair.curvature;
        d.iter_mut().zip(&pair.change).for_each(|(d, y)| *d -= share * y);
        shares.push(share);
    }
    if let Some(last) = memory.back() {
        let scale = last.curvature / dot(&last.change, &last.change);
        d.iter_mut().for_each(|d| *d *= scale);
    }
    for (pair, share) in memory.iter().zip(shares.into_iter().rev()) {
        let back = dot(&pair.change, &d) / pair.curvature;
        d.iter_mut().zip(&pair.step).for_each(|(d, s)| *d += (share - back) * s);
    }
    d
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_bottom_of_rosenbrocks_valley() {
        let mut x = [-1.2, 1.0, -1.2, 1.0];
        let value = minimise(&mut x, Stop { steps: 500, slope: 1e-10 }, |x| {
            let (mut value, mut gradient) = (0.0, vec![0.0; 4]);
            for k in [0, 2] {
                let (a, b) = (x[k], x[k + 1]);
                value += 100.0 * (b - a * a).powi(2) + (1.0 - a).powi(2);
                gradient[k] = -400.0 * a * (b - a * a) - 2.0 * (1.0 - a);
                gradient[k + 1] = 200.0 * (b - a * a);
            }
            (value, gradient)
        });
        assert!(value < 1e-12, "{value}");
        assert!(x.iter().all(|x| (x - 1.0).abs() < 1e-5), "{x:?}");
    }
}
