//! Tests of the routing core.

mod corners;
pub(super) mod days;
mod features;
pub(crate) mod oracle;
mod properties;
mod stories;
mod theory;
pub(super) mod world;
