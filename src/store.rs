//! The journal and what is kept beside it, in SQLite.

mod error;

pub use error::Error;
