//! How fast the shipped model reads, from text to reading, beside its limit: the encoder's matrix products
//! alone, in the same run. The ratio of the two is what all the rest takes: tokens, attention, norms, heads,
//! evidence, language.

#![expect(clippy::unwrap_used, reason = "a failed bench should panic")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use evenhand::classifier::{Model, find_model};
use evenhand_kernels::int8::{Rows, Weights};

/// A ticket of 32 tokens, special ones included.
const TEXT: &str = "hello i ordered a blue rain jacket two weeks ago and it has still not come can you \
                    tell me where it is now and when i will have it thanks";

fn reading(c: &mut Criterion) {
    let model = Model::load(&find_model(None).unwrap()).unwrap();
    for texts in [1, 4, 32] {
        let tokens = model.tokens(TEXT).unwrap().ids().len() * texts;
        let mut group = c.benchmark_group(format!("{texts} tickets"));
        group.throughput(Throughput::Elements(texts as u64)).sample_size(20);
        let texts = vec![TEXT; texts];
        group.bench_function("read", |b| b.iter(|| model.read_texts(&texts).unwrap()));

        let shape = &model.manifest.encoder;
        let (h, w) = (shape.hidden, shape.intermediate);
        let mut layers: Vec<_> = (0..shape.layers)
            .flat_map(|_| [(3 * h, h), (h, h), (w, h), (h, w)])
            .map(|(outputs, inputs)| {
                let weights = Weights::rounded(&vec![0.5; outputs * inputs], (outputs, inputs));
                let mut rows = Rows::default();
                rows.round(&vec![0.5; tokens * inputs], inputs);
                (weights, rows, vec![0.0; outputs], vec![0.0; tokens * outputs])
            })
            .collect();
        group.bench_function("limit_products", |b| {
            b.iter(|| {
                for (weights, rows, bias, out) in &mut layers {
                    weights.forward(rows, bias, out);
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, reading);
criterion_main!(benches);
