//! Events out: everything that becomes durable in a journal, published as CloudEvents.
//!
//! The journal is the outbox: nothing is copied. For each sink and workspace a cursor in the database says what was
//! acknowledged; it moves on afterwards, so each event is sent at least once, and a sink that knows identifiers sees it
//! once. Whoever has a workspace publishes it. `docs/events.md` says what consumers can rely on.
//!
//! - `cloud_event` and `data`: what an entry looks like outside; pure
//! - `sink`: where events go; `nats`: to JetStream (feature `nats`)
//! - `publisher` and `courier`: from the journals to a sink; `backoff`: how long to wait when it fails
//! - `options`: where to, checked

mod backoff;
mod cloud_event;
mod courier;
mod data;
mod metrics;
#[cfg(feature = "nats")]
mod nats;
mod options;
mod publisher;
mod sink;
#[cfg(test)]
mod tests;

pub use cloud_event::{CONTENT_TYPE, CloudEvent, Source};
pub use options::Options;
pub use publisher::run;
pub use sink::{Receipt, Sink, SinkError, Start};

use crate::app::Handle;

/// Publishes to NATS JetStream until the engine stops.
#[cfg(feature = "nats")]
pub async fn publish(handle: Handle, options: Options) {
    let source = Source::new(&options.source);
    run(handle, nats::Nats::new(options), source).await;
}

/// Publishes nothing: the configuration refuses such options in a build without the feature.
#[cfg(not(feature = "nats"))]
pub async fn publish(_handle: Handle, _options: Options) {
    tracing::error!("events are not published: this program was built without the feature `nats`");
}
