//! What operators see: logs, metrics, and how evenly segments are treated, measured again and again.
//!
//! Texts, customers and segment values of single tickets never reach this module.

pub mod logging;
pub mod measures;
pub mod metrics;
