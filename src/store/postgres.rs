//! PostgreSQL, and what speaks like it, behind the seam of `database`.

mod connect;
mod session;
mod translate;

pub use connect::Options;
pub(super) use connect::{connect, prepare};
pub(super) use session::{Session, value};
