//! Shares against logits by the usual road, words in all kinds of text, a planted word.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use proptest::prelude::*;

use super::*;
use crate::classifier::{
    artifact::HeadEntry,
    encoder::{Encode, Encoder, EncoderConfig, TokenBatch},
    features::Features,
    tokenize::Tokens,
};

const LABELS: usize = 4;
const WIDTH: usize = 6;
const LAYERS: usize = 6;

/// Numbers between -1 and 1 that look like nothing.
fn numbers(seed: usize, count: usize) -> Vec<f32> {
    (0..count).map(|k| ((k * 7 + seed * 131 + 1) as f32 * 1.37).sin()).collect()
}

fn head(view: View, width: usize, seed: usize) -> Head {
    let weights = numbers(seed, LABELS * width);
    Head {
        entry: HeadEntry {
            name: "intent".to_owned(),
            labels: (0..LABELS).map(|label| label.to_string()).collect(),
            view,
            threshold: None,
            temperature: 0.8,
        },
        weight: Tensor::from_vec(weights, (LABELS, width), &Device::Cpu).unwrap(),
        bias: Tensor::from_vec(numbers(seed + 1, LABELS), LABELS, &Device::Cpu).unwrap(),
    }
}

fn less_mean(values: &[f32]) -> Vec<f64> {
    let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / values.len() as f64;
    values.iter().map(|x| f64::from(*x) - mean).collect()
}

proptest! {
    #[test]
    fn shares_sum_to_the_logit_less_the_mean_less_the_biases(
        lengths in prop::collection::vec(1_usize..9, 1..5),
        seed in 0_usize..1000,
    ) {
        let texts: Vec<Tokens> =
            lengths.iter().map(|length| Tokens::whole(&vec![0; *length])).collect();
        let batch = TokenBatch::new(&texts.iter().collect::<Vec<_>>());
        let tokens: usize = lengths.iter().sum();
        let states: Vec<Vec<f32>> =
            (0..LAYERS).map(|layer| numbers(seed + layer, tokens * WIDTH)).collect();
        let features = Features::pool(&states, &batch, &Device::Cpu).unwrap();
        for (view, width) in [(View::Last, WIDTH), (View::Layers, 5 * WIDTH)] {
            let head = head(view, width, seed);
            let evident = EvidentHead::new(&head).unwrap();
            let logits = head.logits(&features).unwrap();
            let biases = less_mean(&head.bias.to_vec1::<f32>().unwrap());
            for (span, logits) in batch.spans().into_iter().zip(logits) {
                let layers: Vec<&[f32]> =
                    states.iter().map(|all| &all[span.start * WIDTH..span.end * WIDTH]).collect();
                for (label, above) in less_mean(&logits).into_iter().enumerate() {
                    let shares = evident.shares(label, &layers);
                    prop_assert_eq!(shares.len(), span.len());
                    let sum = 0.8 * shares.iter().sum::<f64>();
                    let expected = above - biases[label];
                    prop_assert!((sum - expected).abs() < 1e-4, "{} and {}", sum, expected);
                }
            }
        }
    }

    #[test]
    fn places_of_any_text_and_tokens_are_within_it(
        text in ".{0,40}",
        cuts in prop::collection::vec((0_usize..45, 0_usize..45), 0..20),
    ) {
        let places: Vec<_> = cuts.iter().map(|(a, b)| Some(*a.min(b)..*a.max(b))).collect();
        let shares = vec![1.0; places.len()];
        let chars = u32::try_from(text.chars().count()).unwrap();
        for word in evidence(EvidenceHead::Intent, &text, &places, &shares) {
            prop_assert!(word.start_chars < word.end_chars && word.end_chars <= chars);
        }
    }
}

#[test]
fn a_text_of_zeros_has_no_evidence() {
    let evident = EvidentHead::new(&head(View::Last, WIDTH, 3)).unwrap();
    let zeros = [0.0; 2 * WIDTH];
    assert_eq!(evident.shares(0, &[&zeros]), [0.0, 0.0]);
}

/// The words of a text whose tokens stand at these places, each with a share of one.
fn spoken(text: &str, places: &[Range<usize>]) -> Vec<(String, f64)> {
    let places: Vec<_> = places.iter().cloned().map(Some).collect();
    let slice = |word: Word| {
        (text.chars().skip(word.place.start).take(word.place.len()).collect(), word.share)
    };
    words(text, &places, &vec![1.0; places.len()]).into_iter().map(slice).collect()
}

#[test]
fn tokens_of_a_word_are_added_up_and_punctuation_is_none() {
    let said = |word: &str, share| (word.to_owned(), share);
    // re fund , don ' t
    let text = "refund, don't";
    let places = [0..2, 2..6, 6..7, 8..11, 11..12, 12..13];
    assert_eq!(spoken(text, &places), [said("refund", 2.0), said("don't", 2.0)]);
    // The blank before a word is in its token.
    assert_eq!(spoken("a bc", &[0..1, 1..4]), [said("a", 1.0), said("bc", 1.0)]);
    // Three tokens for the bytes of one emoji.
    assert_eq!(spoken("😡 no", &[0..1, 0..1, 0..1, 2..4]), [said("😡", 3.0), said("no", 1.0)]);
    // Without blanks, each token stands for itself.
    assert_eq!(spoken("退款。", &[0..1, 1..2, 2..3]), [said("退", 1.0), said("款", 1.0)]);
    // A mark that the tokenizer leaves out holds a word together.
    assert_eq!(spoken("cafe\u{301}s", &[0..4, 5..6]), [said("cafe\u{301}s", 2.0)]);
    assert_eq!(spoken("?!… «»", &[0..1, 1..2, 2..3, 4..5, 5..6]), []);
}

#[test]
fn the_strongest_three_are_named_and_only_those_that_speak_for_it() {
    let places: Vec<_> = [None].into_iter().chain((0..5).map(|k| Some(2 * k..2 * k + 1))).collect();
    let named = |shares: &[f64]| -> Vec<(u32, f64)> {
        let words = evidence(EvidenceHead::Urgency, "a b c d e", &places, shares);
        words.iter().map(|word| (word.start_chars, word.weight)).collect()
    };
    let shares = [9.0, 0.5, 0.1, 0.712_34, -2.0, 0.5];
    assert_eq!(named(&shares), [(4, 0.712), (0, 0.5), (8, 0.5)]);
    assert_eq!(named(&[9.0, -1.0, 0.000_4, 0.0, -2.0, -0.1]), []);
}

/// An encoder whose layers add nothing: the state of a token is its embedding.
fn transparent(words: usize) -> (EncoderConfig, BTreeMap<String, Tensor>) {
    let config = EncoderConfig {
        layers: 2,
        hidden: 16,
        attention_heads: 2,
        intermediate: 8,
        vocabulary: words,
        positions: 12,
        layer_norm_eps: 1e-12,
    };
    let weights = config.weights().into_iter().map(|(name, shape)| {
        let count = shape.iter().product();
        let values = match name.as_str() {
            "embeddings.words" => numbers(5, count),
            name if name.contains("norm.weight") => vec![1.0; count],
            _ => vec![0.0; count],
        };
        (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
    });
    let weights = weights.collect();
    (config, weights)
}

#[test]
fn a_planted_word_is_found_wherever_it_stands() {
    let (config, weights) = transparent(9);
    let width = config.hidden;
    let encoder = Encoder::new(config, &weights, false).unwrap();
    let planted = 8_u32;
    // The second label looks for the planted word alone.
    let alone = encoder.forward(&TokenBatch::new(&[&Tokens::whole(&[planted])])).unwrap().remove(1);
    let mut rows = vec![0.0; LABELS * width];
    rows[width..2 * width].copy_from_slice(&alone);
    let mut head = head(View::Last, width, 0);
    head.weight = Tensor::from_vec(rows, (LABELS, width), &Device::Cpu).unwrap();
    let evident = EvidentHead::new(&head).unwrap();
    for place in 0..7_usize {
        let mut ids: Vec<u32> = (0..7).collect();
        ids[place] = planted;
        let states = encoder.forward(&TokenBatch::new(&[&Tokens::whole(&ids)])).unwrap();
        let layers: Vec<&[f32]> = states.iter().map(Vec::as_slice).collect();
        let places: Vec<_> = (0..7).map(|k| Some(2 * k..2 * k + 1)).collect();
        let shares = evident.shares(1, &layers);
        let found = evidence(EvidenceHead::Intent, "a b c d e f g", &places, &shares);
        assert_eq!(found[0].start_chars as usize, 2 * place);
    }
}
