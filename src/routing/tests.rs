//! Tests of the routing core.

mod corners;
mod days;
mod features;
mod oracle;
mod properties;
mod stories;
mod theory;
mod world;
