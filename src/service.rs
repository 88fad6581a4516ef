//! gRPC: validation, conversion, errors, streams and explanations, on top of [`app::Handle`](crate::app).
//!
//! A call goes through `connection` → `origin` → `observe` → `forward` → `context` → one of the five services; each service
//! checks the request with `validate`, asks the engine, and answers through `convert`. `error` is the
//! only place that knows gRPC codes. Nothing here decides where a ticket goes.

mod admin;
mod admission;
mod agents;
mod alarms;
mod bulk;
mod check_policy;
mod classification;
mod connection;
mod context;
mod convert;
mod cursor;
mod error;
mod explain;
mod forward;
mod idempotency;
mod insight;
mod lookup;
mod observe;
mod offers;
mod operations;
mod options;
mod origin;
mod peer;
mod peers;
mod server;
mod tickets;
mod validate;
mod watching;

#[cfg(test)]
mod blindness;

pub(crate) use check_policy::check_policy;
pub use context::{ACTOR_KEY, WORKSPACE_DEFAULT, WORKSPACE_KEY};
pub use error::DOMAIN;
pub use options::Options;
pub use server::{BindError, Server};

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Response, Status};

use error::Error;

/// The messages of a server stream.
type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Turns an answer into what tonic sends.
fn respond<T>(answer: Result<T, Error>) -> Result<Response<T>, Status> {
    Ok(Response::new(answer?))
}
