//! The arithmetic of a text encoder on a CPU: forwards for reading, backwards for training.
//!
//! Everything works on slices of `f32`, row by row: matrices are row-major and rows are tokens. For training,
//! matrix products take bf16 operands and add up in f32 where the processor is good at it, and are f32
//! elsewhere; what is chosen at run time is told by [`precision`]. For reading they take whole numbers of
//! eight bits ([`int8`]). Every function is deterministic, and in eight bits and in bf16 a row's result does
//! not depend on the rows beside it.
//!
//! This is the one place where `unsafe` is allowed: to call code compiled for instructions that the
//! processor was asked about, and to load and store its vectors.
//!
//! # Layout
//! - [`int8`]: linear layers for reading
//! - [`matmul`]: linear layers for training, and their gradients
//! - [`attention`]: attention over texts lying end to end, without padding
//! - [`norm`], [`gelu`], [`pointwise`]: the rest of a transformer layer
//! - [`optimiser`]: the step of AdamW
//! - [`memory`]: how memory is laid out and kept

#![expect(clippy::needless_range_loop, reason = "several arrays share a lane or a row")]
#![expect(unsafe_code, reason = "the one place for it; every use says why it is sound")]

pub mod attention;
pub mod gelu;
pub mod int8;
pub mod matmul;
pub mod memory;
pub mod norm;
pub mod optimiser;
pub mod pointwise;
mod simd;

pub use matmul::{Precision, precision};
pub use simd::hold_to_avx2;
