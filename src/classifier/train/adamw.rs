//! AdamW (Loshchilov and Hutter 2019) that updates in place and can be saved and restored.
//!
//! candle's own allocates eight tensors for each weight and step, and keeps its moments to itself.

use std::collections::BTreeMap;

use candle_core::{
    CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, backprop::GradStore, bail,
};

/// Decay of the running mean of gradients.
const BETA_1: f64 = 0.9;
/// Decay of the running mean of squared gradients.
const BETA_2: f64 = 0.999;
/// Added to the root of the latter.
const EPSILON: f64 = 1e-8;
/// Share of a matrix' weights that fades with each step, times the rate.
const DECAY: f64 = 0.01;

/// The optimiser of some weights.
pub struct AdamW {
    vars: BTreeMap<String, Slot>,
    /// Steps done.
    pub steps: i32,
}

struct Slot {
    var: Var,
    mean: Tensor,
    square: Tensor,
    /// Learning rate beside the common one.
    rate: f64,
}

impl AdamW {
    /// Starts with moments of zero. Each weight has a factor on the learning rate.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn new(vars: &BTreeMap<String, (Var, f64)>) -> Result<Self> {
        let slot = |(name, (var, rate)): (&String, &(Var, f64))| {
            let slot = Slot {
                mean: var.zeros_like()?,
                square: var.zeros_like()?,
                var: var.clone(),
                rate: *rate,
            };
            Ok((name.clone(), slot))
        };
        Ok(Self { vars: vars.iter().map(slot).collect::<Result<_>>()?, steps: 0 })
    }

    /// Moves every weight against its gradient, each gradient scaled by `clip`.
    ///
    /// # Errors
    /// Names the weight that has no gradient: an op on its way has no backward pass.
    pub fn step(&mut self, gradients: &GradStore, rate: f64, clip: f64) -> Result<()> {
        self.steps += 1;
        let unbias_1 = 1.0 - BETA_1.powi(self.steps);
        let unbias_2 = 1.0 - BETA_2.powi(self.steps);
        for (name, slot) in &self.vars {
            let Some(gradient) = gradients.get(&slot.var) else {
                bail!("weight {name} has no gradient")
            };
            let gradient = gradient.contiguous()?;
            let mean = Blend { keep: BETA_1, scale: clip, square: false };
            slot.mean.inplace_op2(&gradient, &mean)?;
            let square = Blend { keep: BETA_2, scale: clip, square: true };
            slot.square.inplace_op2(&gradient, &square)?;
            let rate = rate * slot.rate;
            // Biases and norms do not fade.
            let fade = if slot.var.rank() > 1 { 1.0 - rate * DECAY } else { 1.0 };
            let op = Update { rate: rate / unbias_1, unbias_2, fade };
            slot.var.inplace_op3(&slot.mean, &slot.square, &op)?;
        }
        Ok(())
    }

    /// Returns the moments, for a checkpoint.
    pub fn moments(&self) -> impl Iterator<Item = (String, Tensor)> + '_ {
        self.vars.iter().flat_map(|(name, slot)| {
            [
                (format!("mean.{name}"), slot.mean.clone()),
                (format!("square.{name}"), slot.square.clone()),
            ]
        })
    }

    /// Goes on from the moments of a checkpoint after some steps.
    ///
    /// # Errors
    /// Names the moment that is missing.
    pub fn restore(&mut self, moments: &BTreeMap<String, Tensor>, steps: i32) -> Result<()> {
        let get = |name: String| match moments.get(&name) {
            Some(tensor) => Ok(tensor.clone()),
            None => bail!("the checkpoint has no {name}"),
        };
        for (name, slot) in &mut self.vars {
            slot.mean = get(format!("mean.{name}"))?;
            slot.square = get(format!("square.{name}"))?;
        }
        self.steps = steps;
        Ok(())
    }
}

/// Returns the length of all gradients together.
///
/// # Errors
/// When a tensor operation fails.
pub fn gradient_norm(vars: &BTreeMap<String, (Var, f64)>, gradients: &GradStore) -> Result<f64> {
    let mut sum = 0.0;
    for (var, _) in vars.values() {
        if let Some(gradient) = gradients.get(var) {
            sum += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
    }
    Ok(sum.sqrt())
}

struct Blend {
    keep: f64,
    scale: f64,
    square: bool,
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
fn narrow(x: f64) -> f32 {
    x as f32
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("the optimiser takes contiguous f32 tensors"),
    }
}

fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("the optimiser takes contiguous f32 tensors"),
    }
}

impl InplaceOp2 for Blend {
    fn name(&self) -> &'static str {
        "adamw-moment"
    }

    fn cpu_fwd(
        &self,
        moment: &mut CpuStorage,
        moment_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let (keep, add, scale) = (narrow(self.keep), narrow(1.0 - self.keep), narrow(self.scale));
        let gradient = values(gradient, gradient_layout)?;
        for (m, g) in values_mut(moment, moment_layout)?.iter_mut().zip(gradient) {
            let g = g * scale;
            *m = *m * keep + add * if self.square { g * g } else { g };
        }
        Ok(())
    }
}

struct Update {
    rate: f64,
    unbias_2: f64,
    fade: f64,
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adamw-update"
    }

    fn cpu_fwd(
        &self,
        weight: &mut CpuStorage,
        weight_layout: &Layout,
        mean: &CpuStorage,
        mean_layout: &Layout,
        square: &CpuStorage,
        square_layout: &Layout,
    ) -> Result<()> {
        let (rate, fade) = (narrow(self.rate), narrow(self.fade));
        let (unbias, epsilon) = (narrow(1.0 / self.unbias_2), narrow(EPSILON));
        let mean = values(mean, mean_layout)?;
        let square = values(square, square_layout)?;
        let weight = values_mut(weight, weight_layout)?;
        for ((w, m), v) in weight.iter_mut().zip(mean).zip(square) {
            *w = *w * fade - rate * m / ((v * unbias).sqrt() + epsilon);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_nn::{Optimizer, ParamsAdamW};

    use super::*;

    #[test]
    fn it_takes_the_same_steps_as_candles() -> Result<()> {
        let start = Tensor::new(&[[1_f32, -2.0], [0.5, 3.0]], &Device::Cpu)?;
        let (ours, theirs) = (Var::from_tensor(&start)?, Var::from_tensor(&start)?);
        let vars = BTreeMap::from([("w".to_owned(), (ours.clone(), 1.0))]);
        let mut one = AdamW::new(&vars)?;
        let params = ParamsAdamW { lr: 0.1, weight_decay: DECAY, ..ParamsAdamW::default() };
        let mut other = candle_nn::AdamW::new(vec![theirs.clone()], params)?;
        for _ in 0..5 {
            one.step(&ours.sqr()?.sum_all()?.backward()?, 0.1, 1.0)?;
            other.backward_step(&theirs.sqr()?.sum_all()?)?;
        }
        let gap = (ours.as_tensor() - theirs.as_tensor())?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(gap < 1e-5, "{gap}");
        Ok(())
    }

    #[test]
    fn a_weight_without_a_gradient_is_named() -> Result<()> {
        let var = Var::zeros(2, candle_core::DType::F32, &Device::Cpu)?;
        let other = Var::ones(2, candle_core::DType::F32, &Device::Cpu)?;
        let vars = BTreeMap::from([("lost".to_owned(), (var, 1.0))]);
        let error = AdamW::new(&vars)?.step(&other.sum_all()?.backward()?, 0.1, 1.0).unwrap_err();
        assert!(error.to_string().contains("weight lost has no gradient"), "{error}");
        Ok(())
    }
}
