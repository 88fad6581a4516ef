//! Tests of the engine as callers see it.

mod alarms;
mod faults;
mod properties;
mod readings;
mod simulation;
mod stories;
mod world;
