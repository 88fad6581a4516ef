//! Tests of the layer on real files: one binary, so that SQLite is linked once.
//!
//! With `EVENHAND_VFS_FULL=1` they try everything: each sync, 10,000 damages, 10,000 power failures. That takes
//! some minutes; `-- --nocapture` prints the counts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod damage;
mod days;
mod ledger;
mod power;
