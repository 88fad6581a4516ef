//! Training.

pub mod adamw;
pub mod assemble;
pub mod base;
pub mod checkpoint;
pub mod finetune;
pub mod fit;
pub mod labelled;
pub mod lbfgs;
pub mod logistic;
mod losses;
mod objective;
pub mod outside;
pub mod own;
pub mod shipped;
pub mod sources;
pub mod start;
mod steadiness;
mod tuner;
pub mod variants;
