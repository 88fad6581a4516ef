//! Connections to the other servers that share the database.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tonic::transport::{Channel, Endpoint};

use super::error::Error;

/// Calls on one connection before another is opened; servers take more of anybody.
const CALLS_PER_CONNECTION: usize = 100;
/// Servers whose connections are kept before idle ones are closed.
const SERVERS_KEPT: usize = 64;
/// How long to try to connect; servers that share a database are near.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How often a silent connection is asked whether it lives, and how long it has to answer.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(2);
/// Bytes a peer may send ahead on one connection, and on one stream.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// Connections to other servers, by address. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Peers(Arc<Mutex<BTreeMap<String, Vec<Line>>>>);

/// A connection, and a mark that each call on it holds.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) channel: Channel,
    /// Counts the calls under way.
    mark: Arc<()>,
}

impl Line {
    fn calls(&self) -> usize {
        Arc::strong_count(&self.mark) - 1
    }
}

impl Peers {
    /// Returns a connection for a call, to be kept until the call has ended.
    pub(crate) fn line(&self, address: &str) -> Result<Line, Error> {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !servers.contains_key(address) && servers.len() >= SERVERS_KEPT {
            servers.retain(|_, lines| lines.iter().any(|line| line.calls() > 0));
        }
        let lines = servers.entry(address.to_owned()).or_default();
        if let Some(line) = lines.iter().find(|line| line.calls() < CALLS_PER_CONNECTION) {
            return Ok(line.clone());
        }
        let line = Line { channel: channel(address)?, mark: Arc::default() };
        lines.push(line.clone());
        Ok(line)
    }
}

fn channel(address: &str) -> Result<Channel, Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| {
        tracing::error!(%error, address, "a server advertises an address that is none");
        Error::Internal
    })?;
    let endpoint = endpoint
        .connect_timeout(CONNECT_WITHIN)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_WITHIN)
        .keep_alive_while_idle(true)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES);
    Ok(endpoint.connect_lazy())
}
