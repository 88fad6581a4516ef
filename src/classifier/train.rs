//! Training.

pub mod adamw;
pub mod assemble;
pub mod base;
pub mod checkpoint;
pub mod finetune;
pub mod fit;
pub mod outside;
pub mod own;
pub mod shipped;
pub mod sources;
