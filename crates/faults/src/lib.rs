//! Faults for the real server program, and the proof of what it kept.

pub mod api;
pub mod check;
pub mod history;
