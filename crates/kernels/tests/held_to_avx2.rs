//! What an older processor would say is what this one says. A program of its own: what is held stays held.

use evenhand_kernels::{
    attention::{Shape, attention},
    gelu::gelu,
    hold_to_avx2,
    int8::{Instructions, Rows, Weights},
    norm::layer_norm,
};

/// A layer's parts on texts of several lengths, one result after the other.
fn results() -> Vec<f32> {
    let numbers = |count: usize| -> Vec<f32> {
        (0..count).map(|k| ((k * k % 977) as f32 * 0.37).sin()).collect()
    };
    let lengths = [1, 5, 6, 7, 16, 17, 37, 50, 90];
    let tokens = lengths.iter().sum::<usize>();
    let mut all = Vec::new();
    for (heads, width) in [(2, 32), (1, 64), (3, 5)] {
        let shape = Shape { lengths: &lengths, heads, width };
        all.extend(attention(&numbers(tokens * 3 * heads * width), &shape));
    }
    let x = numbers(tokens * 70);
    all.extend(layer_norm(&x, &numbers(70), &numbers(70), 1e-5));
    all.extend(gelu(&x));
    let weights = Weights::rounded(&numbers(90 * 70), (90, 70));
    let mut rows = Rows::default();
    rows.round(&x, 70);
    let mut out = vec![0.0; tokens * 90];
    weights.forward(&rows, &numbers(90), &mut out);
    all.extend(out);
    all
}

#[test]
fn an_older_processor_says_the_same() {
    let newer = results();
    hold_to_avx2();
    assert!([Instructions::Avx2, Instructions::Portable].contains(&Instructions::best()));
    let older = results();
    assert_eq!(newer.len(), older.len());
    for (place, (newer, older)) in newer.iter().zip(&older).enumerate() {
        assert!((newer - older).abs() < 2e-5, "{place}: {newer} and {older}");
    }
}
