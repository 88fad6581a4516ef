//! Tests of the layer on real files: one binary, so that SQLite is linked once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod damage;
mod days;
mod ledger;
mod power;
