//! Tests of the engine as callers see it.

mod faults;
mod properties;
mod readings;
mod simulation;
mod stories;
mod world;
