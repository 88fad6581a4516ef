//! How the server listens, and how much of everything it takes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::domain::limits::SHOWN_TICKETS_MIN_DEFAULT;

/// How the server listens. Every number is a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where gRPC and gRPC-Web listen. Loopback only, as long as callers have no identity.
    pub listen: SocketAddr,
    /// Where `/metrics`, `/livez` and `/readyz` listen; loopback only. `None` for nowhere.
    pub admin_listen: Option<SocketAddr>,
    /// Most connections at once; more wait until one ends.
    pub connections_max: usize,
    /// Most calls and streams at once on one connection.
    pub streams_per_connection_max: u32,
    /// Most calls of `TicketService` at once; more are told to come back.
    pub ticket_calls_max: usize,
    /// Most `WatchTicket` streams at once, and as many `StreamAlarms` streams.
    pub watch_streams_max: usize,
    /// Most calls of `Classify` at once.
    pub classify_calls_max: usize,
    /// Most calls of `GetBiasMetrics`, `GetFairnessEvidence` and `GetServiceMeasures` at once.
    pub measure_calls_max: usize,
    /// Fewest tickets behind a number of a segment that `GetBiasMetrics` shows; 1 to show everything.
    pub shown_tickets_min: u64,
    /// After so many silent seconds a connection is asked whether it lives.
    pub keepalive_interval_secs: u64,
    /// After so many seconds without an answer to that it is closed.
    pub keepalive_timeout_secs: u64,
    /// How long calls and streams have to end when the server stops; then they are cut.
    pub shutdown_grace_secs: u64,
    /// Web origins whose pages may call; empty for pages of the server's own origin only.
    pub cors_origins: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50_051),
            admin_listen: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9_464)),
            connections_max: 2_000,
            streams_per_connection_max: 200,
            ticket_calls_max: 1_024,
            watch_streams_max: 4_096,
            classify_calls_max: 64,
            measure_calls_max: 4,
            shown_tickets_min: SHOWN_TICKETS_MIN_DEFAULT,
            keepalive_interval_secs: 20,
            keepalive_timeout_secs: 10,
            shutdown_grace_secs: 20,
            cors_origins: Vec::new(),
        }
    }
}

impl Options {
    /// Returns whether the server may listen there: only where nobody but this machine can reach it.
    #[must_use]
    pub fn may_listen_on(address: &SocketAddr) -> bool {
        address.ip().to_canonical().is_loopback()
    }
}
