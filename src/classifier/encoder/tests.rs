//! Forwards and backwards against the same encoder in candle's own ops, text by text.

use candle_core::{Device, Var};
use candle_nn::ops::{layer_norm_slow, softmax};

use super::*;

const CONFIG: EncoderConfig = EncoderConfig {
    layers: 2,
    hidden: 24,
    attention_heads: 3,
    intermediate: 40,
    vocabulary: 11,
    positions: 9,
    layer_norm_eps: 1e-5,
};

const TEXTS: [&[u32]; 3] = [&[1, 2, 3, 4, 5], &[6], &[10, 9, 3, 3, 2, 1, 0, 7]];

fn batch(texts: &[&[u32]]) -> TokenBatch {
    let texts: Vec<Tokens> = texts.iter().map(|ids| Tokens::whole(ids)).collect();
    TokenBatch::new(&texts.iter().collect::<Vec<_>>())
}

fn vars() -> BTreeMap<String, Var> {
    let numbers = |seed: usize, shape: &[usize], name: &str| {
        let count: usize = shape.iter().product();
        let at = |k: usize| ((k + 31 * seed) as f32 * 1.37).sin() * 0.3;
        let about = if name.contains("norm.weight") { 1.0 } else { 0.0 };
        let numbers: Vec<f32> = (0..count).map(|k| about + at(k)).collect();
        Var::from_tensor(&Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()).unwrap()
    };
    let shapes = CONFIG.weights().into_iter().enumerate();
    shapes.map(|(seed, (name, shape))| (name.clone(), numbers(seed, &shape, &name))).collect()
}

fn encoder(vars: &BTreeMap<String, Var>) -> Encoder {
    let weights = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    Encoder::new(CONFIG, &weights, true).unwrap()
}

/// The mean of the last layer of one text.
fn naive(vars: &BTreeMap<String, Var>, ids: &[u32]) -> Tensor {
    let get = |name: String| vars[&name].as_tensor().clone();
    let linear = |x: &Tensor, name: String| {
        let product = x.matmul(&get(format!("{name}.weight")).t().unwrap()).unwrap();
        product.broadcast_add(&get(format!("{name}.bias"))).unwrap()
    };
    let norm = |x: &Tensor, name: String| {
        let (weight, bias) = (get(format!("{name}.weight")), get(format!("{name}.bias")));
        layer_norm_slow(x, &weight, &bias, 1e-5).unwrap()
    };
    let words = get("embeddings.words".to_owned());
    let words = words.index_select(&Tensor::new(ids, &Device::Cpu).unwrap(), 0).unwrap();
    let places = get("embeddings.positions".to_owned()).narrow(0, 0, ids.len()).unwrap();
    let mut x = norm(&(words + places).unwrap(), "embeddings.norm".to_owned());
    for layer in 0..CONFIG.layers {
        let of = |name: &str| format!("layers.{layer}.{name}");
        let qkv = linear(&x, of("qkv"));
        let width = CONFIG.hidden / CONFIG.attention_heads;
        let mut heads = Vec::new();
        for head in 0..CONFIG.attention_heads {
            let part =
                |index: usize| qkv.narrow(1, index * CONFIG.hidden + head * width, width).unwrap();
            let scores = part(0).matmul(&part(1).t().unwrap()).unwrap();
            let scores = (scores / f64::sqrt(8.0)).unwrap();
            heads.push(softmax(&scores, 1).unwrap().matmul(&part(2)).unwrap());
        }
        let attended = linear(&Tensor::cat(&heads, 1).unwrap(), of("attention"));
        let middle = norm(&(x + attended).unwrap(), of("attention_norm"));
        let wide = linear(&middle, of("up")).gelu_erf().unwrap();
        x = norm(&(&middle + linear(&wide, of("down"))).unwrap(), of("output_norm"));
    }
    x.mean(0).unwrap()
}

fn gap(ours: &[f32], theirs: &Tensor) -> f32 {
    let theirs = theirs.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0.1_f32, |largest, x| largest.max(x.abs()));
    ours.iter().zip(&theirs).fold(0.0, |most: f32, (a, b)| most.max((a - b).abs())) / largest
}

#[test]
fn states_and_every_gradient_agree_with_candles_own() {
    let vars = vars();
    let encoder = encoder(&vars);
    let batch = batch(&TEXTS);
    let theirs: Vec<Tensor> = TEXTS.iter().map(|ids| naive(&vars, ids)).collect();
    let theirs = Tensor::stack(&theirs, 0).unwrap();
    let states = encoder.forward(&batch).unwrap();
    // Products may take operands of eight bits.
    assert!(gap(&batch.mean(&states[1], CONFIG.hidden), &theirs) < 0.02);

    let slopes: Vec<f32> = (0..3 * CONFIG.hidden).map(|k| (k as f32 * 0.71).cos()).collect();
    let weights = Tensor::from_slice(&slopes, (3, CONFIG.hidden), &Device::Cpu).unwrap();
    let store = (theirs * weights).unwrap().sum_all().unwrap().backward().unwrap();
    let tape = encoder.forward_taped(batch, &mut Dropout::new(0.0, 1)).unwrap();
    let Gradients(ours) = encoder.backward(&tape, &slopes);
    let names = encoder.learned();
    assert_eq!(names.len(), ours.len());
    assert_eq!(names.len() + 1, vars.len(), "all but the words are learned");
    for (name, ours) in names.iter().zip(&ours) {
        let gap = gap(ours, store.get(&vars[name]).unwrap());
        assert!(gap < 0.05, "{name}: {gap}");
    }
}

#[test]
fn names_and_weights_that_are_learned_stand_in_one_order() {
    let vars = vars();
    let mut encoder = encoder(&vars);
    let names = encoder.learned();
    for (name, weights) in names.iter().zip(encoder.learned_mut()) {
        assert!(gap(weights, &vars[name]) < f32::EPSILON, "{name}");
    }
}

#[test]
fn dropout_drops_its_share_and_keeps_the_mean() {
    let factors = Dropout::new(0.1, 3).factors(100_000);
    let dropped = factors.iter().filter(|factor| **factor < 0.5).count();
    assert!((9_500..10_500).contains(&dropped), "{dropped}");
    let mean = factors.iter().map(|factor| f64::from(*factor)).sum::<f64>() / 1e5;
    assert!((mean - 1.0).abs() < 0.01, "{mean}");
    assert_eq!(factors, Dropout::new(0.1, 3).factors(100_000), "a seed replays");
}

#[test]
fn tokens_and_places_out_of_range_are_refused() {
    let encoders: [&dyn Encode; 2] = [&encoder(&vars()), &quantised(&vars())];
    for encoder in encoders {
        for text in [&[11][..], &[1; 10]] {
            let error = encoder.forward(&batch(&[text])).unwrap_err().to_string();
            assert!(error.contains("tokens below 11 and places below 9"), "{error}");
        }
    }
}

fn quantised(vars: &BTreeMap<String, Var>) -> QuantisedEncoder {
    let weights = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let file = crate::classifier::quantise::write(&weights, |_| true).unwrap();
    QuantisedEncoder::read(CONFIG, &file).unwrap()
}

#[test]
fn in_eight_bits_the_states_are_nearly_those_of_candle() {
    let vars = vars();
    let batch = batch(&TEXTS);
    let states = quantised(&vars).forward(&batch).unwrap();
    let theirs: Vec<Tensor> = TEXTS.iter().map(|ids| naive(&vars, ids)).collect();
    let theirs = Tensor::stack(&theirs, 0).unwrap();
    let gap = gap(&batch.mean(&states[1], CONFIG.hidden), &theirs);
    assert!(gap < 0.03, "{gap}");
}

#[test]
fn in_eight_bits_a_text_is_read_alone_as_in_any_batch_bit_for_bit() {
    let encoder = quantised(&vars());
    // More tokens than pass the layers together.
    let texts: Vec<&[u32]> = TEXTS.iter().copied().cycle().take(60).collect();
    let together = encoder.forward(&batch(&texts)).unwrap();
    let alone: Vec<_> =
        texts.iter().map(|text| encoder.forward(&batch(&[text])).unwrap()).collect();
    for (layer, state) in together.iter().enumerate() {
        let alone: Vec<u32> = alone.iter().flat_map(|all| bits(&all[layer])).collect();
        assert_eq!(bits(state), alone, "layer {layer}");
    }
}

#[test]
fn a_text_in_windows_is_the_mean_of_all_their_tokens() {
    let encoder = quantised(&vars());
    let windows: [&[u32]; 2] = [&[1, 2, 3], &[4, 5]];
    let apart = batch(&windows);
    let together = TokenBatch { texts: vec![5], ..apart.clone() };
    let states = encoder.forward(&together).unwrap();
    assert_eq!(states, encoder.forward(&apart).unwrap(), "windows do not see one another");
    let mean = together.mean(&states[1], CONFIG.hidden);
    let means = apart.mean(&states[1], CONFIG.hidden);
    for (k, mean) in mean.iter().enumerate() {
        let wanted = (3.0 * means[k] + 2.0 * means[CONFIG.hidden + k]) / 5.0;
        assert!((mean - wanted).abs() < 1e-6);
    }
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn a_file_that_does_not_fit_is_refused_by_the_name_of_the_weight() {
    let mut weights: BTreeMap<String, Tensor> =
        vars().iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let refused = |weights: &BTreeMap<String, Tensor>| {
        let file = crate::classifier::quantise::write(weights, |_| true).unwrap();
        QuantisedEncoder::read(CONFIG, &file).err().unwrap().to_string()
    };
    let up = weights.remove("layers.1.up.weight").unwrap();
    assert_eq!(refused(&weights), "weight layers.1.up.weight is missing");
    weights.insert("layers.1.up.weight".to_owned(), up.t().unwrap().contiguous().unwrap());
    assert!(refused(&weights).starts_with("weight layers.1.up.weight has shape [24, 40]"));
}
