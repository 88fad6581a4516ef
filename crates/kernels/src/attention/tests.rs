//! Value and gradient against the definition, text by text.

use super::*;

fn naive(qkv: &[f64], shape: &Shape<'_>) -> Vec<f64> {
    let (hidden, width) = (shape.heads * shape.width, shape.width);
    let mut out = Vec::new();
    let mut first = 0;
    for count in shape.lengths {
        let at =
            |token: usize, part: usize, k: usize| qkv[((first + token) * 3 + part) * hidden + k];
        for i in 0..*count {
            for k in 0..hidden {
                let head = k / width * width;
                let score = |j: usize| -> f64 {
                    let dot: f64 = (head..head + width).map(|d| at(i, 0, d) * at(j, 1, d)).sum();
                    (dot / (width as f64).sqrt()).exp()
                };
                let total: f64 = (0..*count).map(score).sum();
                out.push((0..*count).map(|j| score(j) / total * at(j, 2, k)).sum());
            }
        }
        first += count;
    }
    out
}

#[test]
fn value_and_gradient_agree_with_the_definition_and_its_differences() {
    for (lengths, heads, width) in
        [(vec![1, 5, 18], 2, 6), (vec![17], 1, 32), (vec![3, 40], 1, 64), (vec![2], 3, 5)]
    {
        let shape = Shape { lengths: &lengths, heads, width };
        let tokens: usize = lengths.iter().sum();
        let numbers = |count: usize, by: f64| -> Vec<f64> {
            (0..count).map(|k| ((k as f64 + by) * 1.3).sin() * 1.5).collect()
        };
        let qkv = numbers(tokens * 3 * heads * width, 0.2);
        let grad = numbers(tokens * heads * width, 0.7);
        let narrow =
            |v: &[f64]| -> Vec<f32> { v.iter().map(|x| crate::simd::narrow(*x)).collect() };
        let found = attention(&narrow(&qkv), &shape);
        for (found, wanted) in found.iter().zip(naive(&qkv, &shape)) {
            assert!((f64::from(*found) - wanted).abs() < 1e-5);
        }
        let slopes = attention_grad(&narrow(&qkv), &shape, &narrow(&grad));
        let along =
            |qkv: &[f64]| -> f64 { naive(qkv, &shape).iter().zip(&grad).map(|(y, g)| y * g).sum() };
        for at in (0..qkv.len()).step_by(qkv.len() / 40 + 1) {
            let mut moved = qkv.clone();
            moved[at] += 1e-5;
            let up = along(&moved);
            moved[at] -= 2e-5;
            let slope = (up - along(&moved)) / 2e-5;
            assert!((f64::from(slopes[at]) - slope).abs() < 1e-3, "{at}: {slope}");
        }
    }
}

#[test]
fn a_text_does_not_depend_on_its_neighbours() {
    let one: Vec<f32> = (0..7 * 3 * 64).map(|k| (k as f32 * 0.37).sin()).collect();
    let two: Vec<f32> = (0..4 * 3 * 64).map(|k| (k as f32 * 0.73).cos()).collect();
    let of =
        |qkv: &[f32], lengths: &[usize]| attention(qkv, &Shape { lengths, heads: 2, width: 32 });
    let together = of(&[one.clone(), two.clone()].concat(), &[7, 4]);
    assert_eq!(together, [of(&one, &[7]), of(&two, &[4])].concat());
}
