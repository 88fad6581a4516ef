//! Evenhand: an even-handed ticket router.
//!
//! # Layout
//!
//! In reading order; an arrow in ARCHITECTURE.md says who may import whom.
//!
//! - [`domain`]: the words as types
//! - [`fairness`]: rates, intervals and waits by segment (pure)
//! - [`routing`]: the core, `state + input + now -> events` (pure)
//! - [`backtest`]: history, replayed under another policy
//! - [`clock`]: the only read of the wall clock
//! - [`classifier`]: tokenizer, encoder, heads, batching, training
//! - [`report`]: how good a model is, as data, text and a page
//! - [`simulate`]: the routing core on a virtual clock
//! - [`fairness_report`]: what became of tickets and agents, for people
//! - [`store`]: the journal and what is kept beside it, in SQLite
//! - [`app`]: the engine that ties routing, store and classifier together
//! - [`events`]: everything durable, published as CloudEvents
//! - [`api`]: types generated from `proto`
//! - [`service`]: gRPC: validation, conversion, errors, streams
//! - [`telemetry`]: logs and metrics
//! - [`config`]: the configuration file and environment
//! - [`demo`]: the whole path with simulated people
//! - [`cli`]: one file for each subcommand

pub mod api;
pub mod app;
pub mod backtest;
pub mod classifier;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod events;
pub mod fairness;
pub mod fairness_report;
pub mod report;
pub mod routing;
pub mod service;
pub mod simulate;
pub mod store;
pub mod telemetry;
