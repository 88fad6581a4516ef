//! Events out: everything that becomes durable in a journal, published as CloudEvents.
//!
//! The journal is the outbox: nothing is copied. For each sink and workspace a cursor in the database says what was
//! acknowledged; it moves on afterwards, so each event is sent at least once, and a sink that knows identifiers sees it
//! once. Whoever has a workspace publishes it. `docs/events.md` says what consumers can rely on.
//!
//! - `cloud_event` and `data`: what an entry looks like outside; pure
//! - `sink`: where events go; `nats`: to JetStream (feature `nats`); `webhook`: to a URL
//! - `publisher` and `courier`: from the journals to a sink; `backoff`: how long to wait when it fails
//! - `options`: which JetStream, checked

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
mod webhook;

pub use cloud_event::{CONTENT_TYPE, CloudEvent, Source};
pub use options::Options;
pub use publisher::run;
pub use sink::{Receipt, Sink, SinkError, Start};
pub use webhook::WebhookOptions;

use std::sync::Arc;

use crate::{app::Handle, clock::SystemClock};

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

/// Posts to a webhook until the engine stops.
pub async fn post(handle: Handle, options: WebhookOptions) {
    let source = Source::new(&options.source);
    let sink = webhook::Webhook::new(options, Arc::new(SystemClock));
    run(handle, sink, source).await;
}
