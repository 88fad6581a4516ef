//! AdamW (Loshchilov and Hutter 2019) on plain numbers, in place; it can be saved and restored.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, bail};
use evenhand_kernels::optimiser::{AdamStep, adam_step, sum_of_squares};

/// Decay of the running mean of gradients.
const BETA_1: f32 = 0.9;
/// Decay of the running mean of squared gradients.
const BETA_2: f32 = 0.999;
/// Added to the root of the latter.
const EPSILON: f32 = 1e-8;
/// Share of a matrix' weights that fades with each step, times the rate.
const DECAY: f64 = 0.01;

/// A weight that takes a step.
pub struct Learned<'a> {
    /// Its numbers.
    pub weights: &'a mut [f32],
    /// Their gradient.
    pub gradient: Vec<f32>,
    /// Its learning rate beside the common one.
    pub rate: f64,
    /// Whether it fades: matrices do, biases and norms do not.
    pub fades: bool,
}

/// The optimiser of some weights, always given in the same order.
#[derive(Default)]
pub struct AdamW {
    moments: Vec<Moments>,
    /// Steps done.
    pub steps: i32,
}

struct Moments {
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl Moments {
    fn zero(count: usize) -> Self {
        Self { mean: vec![0.0; count], square: vec![0.0; count] }
    }
}

impl AdamW {
    /// Moves every weight against its gradient; together they are shortened to `longest`.
    ///
    /// # Errors
    /// When a gradient is not finite.
    pub fn step(&mut self, learned: Vec<Learned<'_>>, rate: f64, longest: f64) -> Result<()> {
        let squares: f64 = learned.iter().map(|one| sum_of_squares(&one.gradient)).sum();
        if !squares.is_finite() {
            bail!("the gradient is not finite at step {}", self.steps + 1)
        }
        if self.moments.is_empty() {
            self.moments = learned.iter().map(|one| Moments::zero(one.weights.len())).collect();
        }
        self.steps += 1;
        let unbias = |beta: f32| 1.0 - f64::from(beta).powi(self.steps);
        let (unbias_1, unbias_2) = (unbias(BETA_1), unbias(BETA_2));
        let step = |one: &Learned<'_>| AdamStep {
            beta_1: BETA_1,
            beta_2: BETA_2,
            clip: narrow((longest / squares.sqrt().max(1e-12)).min(1.0)),
            rate: narrow(rate * one.rate / unbias_1),
            unbias: narrow(1.0 / unbias_2),
            epsilon: EPSILON,
            fade: if one.fades { narrow(1.0 - rate * one.rate * DECAY) } else { 1.0 },
        };
        let mut pairs: Vec<_> = learned.into_iter().zip(&mut self.moments).collect();
        let half = pairs.len() / 2;
        let (first, second) = pairs.split_at_mut(half);
        let run = |part: &mut [(Learned<'_>, &mut Moments)]| {
            for (one, moments) in part {
                let step = step(one);
                let Moments { mean, square } = moments;
                adam_step(one.weights, mean, square, &one.gradient, &step);
            }
        };
        // Two threads: the step is bound by memory, and more would not help.
        std::thread::scope(|scope| {
            scope.spawn(|| run(second));
            run(first);
        });
        Ok(())
    }

    /// Returns the moments, for a checkpoint.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn moments(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut all = BTreeMap::new();
        for (index, moments) in self.moments.iter().enumerate() {
            for (name, values) in [("mean", &moments.mean), ("square", &moments.square)] {
                all.insert(
                    format!("{name}.{index}"),
                    Tensor::new(values.as_slice(), &Device::Cpu)?,
                );
            }
        }
        Ok(all)
    }

    /// Goes on from the moments of a checkpoint after some steps, for weights of these counts.
    ///
    /// # Errors
    /// Names the moment that is missing.
    pub fn restore(
        &mut self,
        moments: &BTreeMap<String, Tensor>,
        steps: i32,
        counts: &[usize],
    ) -> Result<()> {
        let get = |name: String, count: usize| match moments.get(&name) {
            Some(tensor) if tensor.elem_count() == count => tensor.to_vec1(),
            _ => bail!("the checkpoint has no {name} of {count} numbers"),
        };
        let of = |(index, count): (usize, &usize)| {
            Ok(Moments {
                mean: get(format!("mean.{index}"), *count)?,
                square: get(format!("square.{index}"), *count)?,
            })
        };
        self.moments = counts.iter().enumerate().map(of).collect::<Result<_>>()?;
        self.steps = steps;
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use candle_core::Var;
    use candle_nn::{Optimizer, ParamsAdamW};

    use super::*;

    #[test]
    fn it_takes_the_same_steps_as_candles() -> Result<()> {
        let mut ours = vec![1_f32, -2.0, 0.5, 3.0];
        let theirs = Var::from_tensor(&Tensor::new(ours.as_slice(), &Device::Cpu)?)?;
        let params = ParamsAdamW { lr: 0.1, weight_decay: DECAY, ..ParamsAdamW::default() };
        let (mut one, mut other) =
            (AdamW::default(), candle_nn::AdamW::new(vec![theirs.clone()], params)?);
        for _ in 0..5 {
            let gradient = ours.iter().map(|x| 2.0 * x).collect();
            let learned = Learned { weights: &mut ours, gradient, rate: 0.5, fades: true };
            one.step(vec![learned], 0.2, f64::INFINITY)?;
            other.backward_step(&theirs.sqr()?.sum_all()?)?;
        }
        for (ours, theirs) in ours.iter().zip(theirs.to_vec1::<f32>()?) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
        }
        Ok(())
    }

    #[test]
    fn long_gradients_are_shortened_and_endless_ones_refused() -> Result<()> {
        let learned = |gradient: f32| -> Result<f32> {
            let mut weights = vec![0.0];
            let one = Learned {
                weights: &mut weights,
                gradient: vec![gradient],
                rate: 1.0,
                fades: false,
            };
            let mut optimiser = AdamW::default();
            optimiser.step(vec![one], 0.1, 1.0)?;
            Ok(optimiser.moments[0].mean[0])
        };
        assert!((learned(100.0)? - 0.1).abs() < 1e-6);
        assert!(learned(f32::NAN).is_err());
        Ok(())
    }
}
