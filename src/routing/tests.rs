//! Tests of the core: stories, properties against a naive oracle, and theory.

mod properties;
mod stories;
mod theory;
mod world;
