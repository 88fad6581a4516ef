//! Integration tests, one binary.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test should panic")]

mod architecture;
mod audit_reference;
mod backtest;
mod classifier;
mod cli_fairness;
mod cli_report;
mod cli_serve;
mod demo;
mod durability;
mod encoders;
mod evaluate;
mod evidence;
mod fairness_reference;
mod grpc;
mod limits;
mod policy_page;
mod process;
mod proto;
mod replicas;
mod source;
mod support;
mod tidy;
