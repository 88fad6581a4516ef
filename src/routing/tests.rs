//! Tests of the routing core.

mod corners;
pub(super) mod days;
mod features;
mod oracle;
mod properties;
mod stories;
mod theory;
pub(super) mod world;
