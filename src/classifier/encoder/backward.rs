//! The way back through the encoder: gradients of every weight but the word embeddings.
//!
//! Those stay as they are: most words of a language are not in anybody's tickets, and they would be left
//! behind.

use candle_core::{Device, Result, Tensor};
use evenhand_kernels::{
    attention::attention_grad,
    gelu::{gelu, gelu_grad},
    matmul::Packed,
    norm::layer_norm_grad,
    pointwise::{add, multiply},
};

use super::{Dropout, Encoder, Layer, Linear, Norm, TokenBatch};

/// What a forward pass leaves behind for the way back.
pub struct Tape {
    batch: TokenBatch,
    embedded: Vec<f32>,
    mask: Vec<f32>,
    layers: Vec<LayerTape>,
    /// Means over the tokens of each text of the last layer, texts by width.
    pub means: Vec<f32>,
}

struct LayerTape {
    input: Vec<f32>,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    attention_mask: Vec<f32>,
    /// Before the first norm.
    first: Vec<f32>,
    middle: Vec<f32>,
    up: Vec<f32>,
    wide: Vec<f32>,
    output_mask: Vec<f32>,
    /// Before the second norm.
    second: Vec<f32>,
}

/// Gradients, in the order of [`Encoder::learned`].
pub struct Gradients(pub Vec<Vec<f32>>);

impl Encoder {
    /// Runs forwards with dropout and keeps what the way back needs.
    ///
    /// # Errors
    /// As [`Encoder::forward`].
    pub fn forward_taped(&self, batch: TokenBatch, dropout: &mut Dropout) -> Result<Tape> {
        let embedded = self.embed(&batch)?;
        let mut x = self.norm.forward(&embedded);
        let mut masked = |x: &mut Vec<f32>| {
            let mask = dropout.factors(x.len());
            multiply(x, &mask);
            mask
        };
        let mask = masked(&mut x);
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let qkv = layer.qkv.forward(&x);
            let mixed = self.attend(&qkv, &batch);
            let mut first = layer.attention.forward(&mixed);
            let attention_mask = masked(&mut first);
            add(&mut first, &x);
            let middle = layer.attention_norm.forward(&first);
            let up = layer.up.forward(&middle);
            let wide = gelu(&up);
            let mut second = layer.down.forward(&wide);
            let output_mask = masked(&mut second);
            add(&mut second, &middle);
            let input = std::mem::replace(&mut x, layer.output_norm.forward(&second));
            layers.push(LayerTape {
                input,
                qkv,
                mixed,
                attention_mask,
                first,
                middle,
                up,
                wide,
                output_mask,
                second,
            });
        }
        let means = batch.mean(&x, self.config.hidden);
        Ok(Tape { batch, embedded, mask, layers, means })
    }

    /// Returns the gradients of the weights, given that of the means.
    #[must_use]
    pub fn backward(&self, tape: &Tape, means: &[f32]) -> Gradients {
        let width = self.config.hidden;
        let mut grad = tape.batch.mean_grad(means, width);
        let mut layers = Vec::with_capacity(self.layers.len());
        for (layer, tape_of) in self.layers.iter().zip(&tape.layers).rev() {
            let mut back = Back::default();
            grad = self.layer_backward(layer, tape_of, &tape.batch, &grad, &mut back);
            layers.push(back.0);
        }
        multiply(&mut grad, &tape.mask);
        let mut first = Back::default();
        let grad = first.norm(&self.norm, &tape.embedded, &grad);
        let mut positions = vec![0.0; self.positions.len()];
        for (place, row) in tape.batch.places().zip(grad.chunks_exact(width)) {
            add(&mut positions[place * width..][..width], row);
        }
        let layers = layers.into_iter().rev().flatten();
        Gradients([positions].into_iter().chain(first.0).chain(layers).collect())
    }

    /// Returns the gradient at a layer's input; those of its weights go to `back`.
    fn layer_backward(
        &self,
        layer: &Layer,
        tape: &LayerTape,
        batch: &TokenBatch,
        grad: &[f32],
        back: &mut Back,
    ) -> Vec<f32> {
        let mut of_middle = back.norm(&layer.output_norm, &tape.second, grad);
        let mut of_narrow = of_middle.clone();
        multiply(&mut of_narrow, &tape.output_mask);
        let of_wide = back.linear(&layer.down, &tape.wide, &of_narrow);
        let of_up = gelu_grad(&tape.up, &of_wide);
        add(&mut of_middle, &back.linear(&layer.up, &tape.middle, &of_up));
        let mut of_input = back.norm(&layer.attention_norm, &tape.first, &of_middle);
        let mut of_attended = of_input.clone();
        multiply(&mut of_attended, &tape.attention_mask);
        let of_mixed = back.linear(&layer.attention, &tape.mixed, &of_attended);
        let of_qkv = attention_grad(&tape.qkv, &self.shape(batch), &of_mixed);
        add(&mut of_input, &back.linear(&layer.qkv, &tape.input, &of_qkv));
        of_input
    }

    /// Returns the names of the weights that are learned.
    #[must_use]
    pub fn learned(&self) -> Vec<String> {
        let both = |name: String| [format!("{name}.weight"), format!("{name}.bias")];
        let mut names = vec!["embeddings.positions".to_owned()];
        names.extend(both("embeddings.norm".to_owned()));
        for index in 0..self.layers.len() {
            for name in ["output_norm", "down", "up", "attention_norm", "attention", "qkv"] {
                names.extend(both(format!("layers.{index}.{name}")));
            }
        }
        names
    }

    /// Returns the weights that are learned, in the order of [`Self::learned`].
    pub fn learned_mut(&mut self) -> Vec<&mut Vec<f32>> {
        let mut all = vec![&mut self.positions, &mut self.norm.weight, &mut self.norm.bias];
        for layer in &mut self.layers {
            for (weight, bias) in [
                (&mut layer.output_norm.weight, &mut layer.output_norm.bias),
                (&mut layer.down.weight, &mut layer.down.bias),
                (&mut layer.up.weight, &mut layer.up.bias),
                (&mut layer.attention_norm.weight, &mut layer.attention_norm.bias),
                (&mut layer.attention.weight, &mut layer.attention.bias),
                (&mut layer.qkv.weight, &mut layer.qkv.bias),
            ] {
                all.extend([weight, bias]);
            }
        }
        all
    }

    /// Lays weights out anew after they have changed.
    pub fn refresh(&mut self) {
        let (first, second) = self.layers.split_at_mut(self.config.layers / 2);
        // Two threads: laying out is a matter of memory, and more would not help.
        std::thread::scope(|scope| {
            scope.spawn(|| second.iter_mut().for_each(Layer::refresh));
            first.iter_mut().for_each(Layer::refresh);
        });
    }

    /// Returns the weights that are learned as tensors.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn learned_tensors(&mut self) -> Result<Vec<(String, Tensor)>> {
        let (names, shapes) = (self.learned(), self.config.weights());
        let tensor = |(name, values): (String, &mut Vec<f32>)| {
            let shape = shapes.get(&name).cloned().unwrap_or_else(|| vec![values.len()]);
            Ok((name, Tensor::from_slice(values, shape, &Device::Cpu)?))
        };
        names.into_iter().zip(self.learned_mut()).map(tensor).collect()
    }
}

impl Layer {
    fn refresh(&mut self) {
        for linear in [&mut self.qkv, &mut self.attention, &mut self.up, &mut self.down] {
            let shape = linear.packed.shape();
            linear.packed = Packed::new(&linear.weight, shape, true);
        }
    }
}

/// Gradients of one layer's weights, last used first.
#[derive(Default)]
struct Back(Vec<Vec<f32>>);

impl Back {
    fn linear(&mut self, linear: &Linear, x: &[f32], grad: &[f32]) -> Vec<f32> {
        let found = linear.packed.backward(x, grad);
        self.0.extend([found.weight, found.bias]);
        found.x
    }

    fn norm(&mut self, norm: &Norm, x: &[f32], grad: &[f32]) -> Vec<f32> {
        let found = layer_norm_grad(x, &norm.weight, norm.eps, grad);
        self.0.extend([found.weight, found.bias]);
        found.x
    }
}
