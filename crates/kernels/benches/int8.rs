//! How near the arithmetic of eight bits comes to what one core can do: the best of a loop of the same
//! instructions on registers alone, in the same run. For single products, and for all that the shipped
//! encoder's shape does between the embeddings and the last states, whose operations are those of its
//! matrix products and of its attention alone.
//!
//! `cargo bench -p evenhand-kernels`; a figure is the median of rounds in which all take turns, in time that the thread
//! had a core.

#![expect(unsafe_code, reason = "calls code for instructions that the processor was asked about")]

use std::hint::black_box;

use evenhand_kernels::{
    attention::{Scratch, Shape, attention_into},
    int8::{Instructions, Matrix, Rows, Weights, round_rows},
    norm::add_norm,
};

/// Rounds of which the median is told.
const ROUNDS: usize = 41;

/// A name, the operations of one call, and the call.
type Work = (String, f64, Box<dyn FnMut()>);

fn main() {
    // A word in the command line picks works by name; `avx2` holds the kernels to that.
    let mut words: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    if words.iter().any(|word| word == "avx2") {
        evenhand_kernels::hold_to_avx2();
        words.retain(|word| word != "avx2");
    }
    let word = words.pop().unwrap_or_default();
    if word == "count" {
        counted(&mut layers(1, 30).2);
        return;
    }
    let mut works: Vec<Work> = vec![peak()];
    for (outputs, inputs) in [(1152, 384), (384, 384), (1536, 384), (384, 1536)] {
        for rows in [1, 8, 30, 32, 64, 128] {
            works.push(product(rows, outputs, inputs));
        }
    }
    for (texts, tokens) in [(1, 8), (1, 16), (1, 30), (1, 128), (3, 32), (4, 32), (1, 512)] {
        works.push(layers(texts, tokens));
    }
    works.retain(|(name, ..)| name.starts_with("peak") || name.contains(&word));
    let mut seconds = vec![Vec::new(); works.len()];
    for _ in 0..ROUNDS {
        for ((_, _, run), seconds) in works.iter_mut().zip(&mut seconds) {
            run();
            let start = cpu_seconds();
            run();
            seconds.push(cpu_seconds() - start);
        }
    }
    let best = |seconds: &[f64]| seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let peak = works[0].1 / best(&seconds[0]);
    println!("{:?}: at best {:.0} billion operations a second", Instructions::best(), peak / 1e9);
    for ((name, operations, _), seconds) in works.iter().zip(&mut seconds).skip(1) {
        seconds.sort_by(f64::total_cmp);
        let median = operations / seconds[ROUNDS / 2];
        println!(
            "{name}: {:.0} billion a second, {:.0} % (at best {:.0} %)",
            median / 1e9,
            100.0 * median / peak,
            100.0 * operations / seconds[0] / peak
        );
    }
}

/// What `.ci/instructions` counts, by this name.
#[inline(never)]
fn counted(run: &mut dyn FnMut()) {
    run();
}

/// Returns how long this thread has had a core: others may be using the machine.
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call only fills in the time.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Products of one shape, on weights that other shapes have driven out of the nearest cache.
fn product(rows: usize, outputs: usize, inputs: usize) -> Work {
    let numbers =
        |count: usize| -> Vec<f32> { (0..count).map(|k| (k as f32 * 0.37).sin()).collect() };
    let weights = Weights::rounded(&numbers(outputs * inputs), (outputs, inputs));
    let (bias, numbers) = (vec![0.5; outputs], numbers(rows * inputs));
    let mut x = Rows::default();
    x.round(&numbers, inputs);
    let mut out = vec![0.0; rows * outputs];
    let repeats = 2000_usize.div_ceil(rows * outputs * inputs / 100_000).max(1);
    let run = move || {
        for _ in 0..repeats {
            weights.forward(&x, black_box(&bias), &mut out);
        }
        black_box(&mut out);
    };
    let operations = 2.0 * (rows * outputs * inputs * repeats) as f64;
    (format!("{rows} x {inputs} -> {outputs}"), operations, Box::new(run))
}

/// Six layers on texts of one length.
fn layers(texts: usize, tokens: usize) -> Work {
    let numbers =
        |count: usize| -> Vec<f32> { (0..count).map(|k| (k as f32 * k as f32).sin()).collect() };
    let shapes = [(1152, 384), (384, 384), (1536, 384), (384, 1536)];
    let rounded: Vec<_> = (0..6)
        .flat_map(|_| shapes)
        .map(|(outputs, inputs)| {
            let weight: Vec<f32> = numbers(outputs * inputs).iter().map(|x| x * 0.07).collect();
            round_rows(&weight, inputs)
        })
        .collect();
    let matrices: Vec<_> = rounded.iter().map(|(whole, scales)| Matrix { whole, scales }).collect();
    let weights = Weights::together(&matrices);
    let linear = |weights: &Weights, rows: &Rows, out: &mut Vec<f32>| {
        let (outputs, _) = weights.shape();
        out.resize(rows.count() * outputs, 0.0);
        weights.forward(rows, &[0.1; 1536][..outputs], out);
    };
    let (lengths, count) = (vec![tokens; texts], texts * tokens);
    let first = numbers(count * 384);
    let (mut rows, mut scratch) = (Rows::default(), Scratch::default());
    let (mut qkv, mut mixed, mut wide, mut narrow) = (vec![], vec![], vec![], vec![]);
    let (ones, zeros) = ([1.0; 384], [0.0; 384]);
    let repeats = 500_usize.div_ceil(count);
    let run = move || {
        for _ in 0..repeats {
            let mut x = first.clone();
            for [in_qkv, out_attention, up, down] in weights.as_chunks().0 {
                rows.round(&x, 384);
                linear(in_qkv, &rows, &mut qkv);
                let shape = Shape { lengths: &lengths, heads: 12, width: 32 };
                attention_into(&qkv, &shape, &mut scratch, &mut mixed);
                rows.round(&mixed, 384);
                linear(out_attention, &rows, &mut narrow);
                add_norm(&mut x, &narrow, &ones, &zeros, 1e-12);
                rows.round(&x, 384);
                linear(up, &rows, &mut wide);
                rows.round_gelu(&mut wide, 1536);
                linear(down, &rows, &mut narrow);
                add_norm(&mut x, &narrow, &ones, &zeros, 1e-12);
            }
            black_box(&mut x);
        }
    };
    let products: usize = shapes.iter().map(|(outputs, inputs)| outputs * inputs).sum();
    let operations = 2 * 6 * count * (products + 2 * 384 * tokens) * repeats;
    (format!("six layers, {texts} x {tokens} tokens"), operations as f64, Box::new(run))
}

/// Multiplies registers by registers.
fn peak() -> Work {
    const STEPS: usize = 100_000;
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm512_dpbusd_epi32, _mm512_reduce_add_epi32, _mm512_set1_epi32};
        #[target_feature(enable = "avx512f,avx512vnni")]
        fn registers(steps: usize) -> i32 {
            let weights = _mm512_set1_epi32(black_box(0x0102_0304));
            let mut sums = [_mm512_set1_epi32(black_box(1)); 16];
            for _ in 0..steps {
                for sum in &mut sums {
                    *sum = _mm512_dpbusd_epi32(*sum, weights, weights);
                }
            }
            sums.iter().fold(0, |all, sum| all ^ _mm512_reduce_add_epi32(*sum))
        }
        if Instructions::Avx512Vnni.are_there() {
            // SAFETY: the processor was asked.
            let run = || {
                black_box(unsafe { registers(STEPS) });
            };
            return ("peak".to_owned(), (STEPS * 16 * 128) as f64, Box::new(run));
        }
    }
    ("peak unknown".to_owned(), f64::NAN, Box::new(|| {}))
}
