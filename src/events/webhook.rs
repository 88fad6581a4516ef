//! A webhook as a sink: each event is a request of its own, signed as Standard Webhooks says.
//!
//! Source: Standard Webhooks 1.0, <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
//!
//! - `options` and `address`: where to, checked
//! - `signature`: how a receiver knows that an event is ours; `answer`: what its status means
//! - `endpoint`: the receiver, its connections and certificates

mod address;
mod answer;
mod endpoint;
mod options;
mod signature;

pub use options::WebhookOptions;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use self::endpoint::Endpoint;
use super::{CloudEvent, Receipt, Sink, SinkError, Start};
use crate::clock::Clock;

/// A receiver of events.
pub(super) struct Webhook {
    options: WebhookOptions,
    /// The wall clock: receivers compare what was signed with theirs, not with the engine's time.
    clock: Arc<dyn Clock>,
    /// What the options mean, made anew after each failure: with new connections, and certificates read again.
    endpoint: Mutex<Option<Arc<Endpoint>>>,
}

impl Webhook {
    pub(super) fn new(options: WebhookOptions, clock: Arc<dyn Clock>) -> Self {
        Self { options, clock, endpoint: Mutex::default() }
    }
}

impl Sink for Webhook {
    const KIND: &'static str = "webhook";
    /// Who starts to listen does not expect the history of years.
    const START: Start = Start::New;

    fn name(&self) -> String {
        format!("webhook/{}", self.options.name)
    }

    fn wants(&self, r#type: &str) -> bool {
        self.options.types.is_empty() || self.options.types.contains(r#type)
    }

    async fn prepare(&self) -> Result<(), SinkError> {
        let options = self.options.clone();
        // It reads files.
        let made = tokio::task::spawn_blocking(move || Endpoint::new(&options)).await;
        let lost = |_| SinkError::Down("it could not be made ready".to_owned());
        let endpoint = Arc::new(made.map_err(lost)??);
        *self.endpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(endpoint);
        Ok(())
    }

    async fn deliver(&self, event: CloudEvent) -> Result<Receipt, SinkError> {
        let endpoint = self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let endpoint = endpoint.ok_or_else(|| SinkError::Down("it is not ready yet".to_owned()))?;
        let (secs, now) = (self.options.timeout_secs, self.clock.now());
        let sent = tokio::time::timeout(Duration::from_secs(secs), endpoint.send(event, now)).await;
        let response = sent.map_err(|_| SinkError::Silent(secs))??;
        let (head, body) = response.into_parts();
        let receipt = answer::read(head.status, &head.headers, now)?;
        endpoint::drain(body).await;
        Ok(receipt)
    }
}
