//! How fast the shipped model reads, beside its limit: plain matrix products of as many operations, in
//! the same run. The ratio of the two is what the encoder leaves on the table.

#![expect(clippy::unwrap_used, reason = "a failed bench should panic")]

use candle_core::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use evenhand::classifier::{Model, find_model};

/// Texts of a batch.
const TEXTS: usize = 32;
/// A ticket of 32 tokens, special ones included.
const TEXT: &str = "hello i ordered a blue rain jacket two weeks ago and it has still not come can you \
                    tell me where it is now and when i will have it thanks";

fn reading(c: &mut Criterion) {
    let model = Model::load(&find_model(None).unwrap()).unwrap();
    let texts = vec![TEXT; TEXTS];
    let tokens = model.tokens(TEXT).unwrap().ids.len() * TEXTS;
    let mut group = c.benchmark_group("tickets");
    group.throughput(Throughput::Elements(TEXTS as u64)).sample_size(20);
    group.bench_function("read", |b| b.iter(|| model.read_texts(&texts).unwrap()));

    // Each token passes matrices of 4 h² + 2 h w weights in each layer; those of one up-projection,
    // tokens by h by w, are repeated until there are as many.
    let shape = &model.manifest.encoder;
    let (h, w) = (shape.hidden, shape.intermediate);
    let products = (shape.layers * (4 * h * h + 2 * h * w)).div_ceil(h * w);
    let x = Tensor::ones((tokens, h), candle_core::DType::F32, &Device::Cpu).unwrap();
    let weight = Tensor::ones((w, h), candle_core::DType::F32, &Device::Cpu).unwrap();
    let weight = weight.t().unwrap();
    group.bench_function("limit_plain_products", |b| {
        b.iter(|| {
            for _ in 0..products {
                std::hint::black_box(x.matmul(&weight).unwrap());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, reading);
criterion_main!(benches);
