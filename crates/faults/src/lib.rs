//! Faults for the real server program, and the proof of what it kept.

pub mod agents;
pub mod api;
pub mod book;
pub mod check;
pub mod client;
pub mod cluster;
pub mod disk;
pub mod figures;
pub mod flips;
pub mod history;
pub mod kill;
pub mod platform;
pub mod postgres;
pub mod progress;
pub mod proxy;
pub mod random;
pub mod reading;
pub mod relay;
pub mod replicas;
pub mod run;
pub mod server;
pub mod stop;
pub mod world;
