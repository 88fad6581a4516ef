//! Assembles the services, serves them, and stops in order.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tonic::{
    codec::CompressionEncoding::Gzip,
    service::{Routes, interceptor::InterceptedService},
};
use tonic_health::{
    ServingStatus,
    server::{HealthReporter, HealthService},
};
use tower::layer::util::{Identity, Stack};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::{
    admin::Admin, admission::Admission, agents::Agents, classification::Classification, connection,
    context::intercept, forward::ForwardLayer, insight::Insight, observe::ObserveLayer,
    offers::Seats, operations, options::Options, origin::OriginLayer, peer::Peer, peers::Peers,
    tickets::Tickets,
};
use crate::{
    api::{
        FILE_DESCRIPTOR_SET,
        peer::peer_service_server::PeerServiceServer,
        v1::{
            admin_service_server::AdminServiceServer, agent_service_server::AgentServiceServer,
            classification_service_server::ClassificationServiceServer,
            insight_service_server::InsightServiceServer,
            ticket_service_server::TicketServiceServer,
        },
    },
    app::{Colleagues, Handle},
};

/// Largest message of the services that take tickets, actions and questions: the largest ticket
/// that keeps every limit has some 130 KiB.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Largest message of `AdminService`; policies are set as a whole.
const ADMIN_MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Largest message of `ClassificationService`: 64 texts of 20000 characters of up to 4 bytes.
const CLASSIFY_MESSAGE_BYTES_MAX: usize = 5 * 1024 * 1024 + 256 * 1024;
/// Largest block of headers of a request.
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// Bytes a connection may send ahead of the server's reading. h2 takes half of it as the budget for
/// the overhead of small frames; 4 MiB are enough for a bulk stream of the most and smallest tickets.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Streams a caller may reset before the server took them, against rapid resets.
const PENDING_RESETS_MAX: usize = 20;
/// Streams the server may have to reset for one connection's errors.
const ERROR_RESETS_MAX: usize = 256;

/// The names under which health is reported, beside the whole server's empty name.
const SERVICES: [&str; 5] = [
    "evenhand.v1.TicketService",
    "evenhand.v1.AgentService",
    "evenhand.v1.AdminService",
    "evenhand.v1.ClassificationService",
    "evenhand.v1.InsightService",
];

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Others could reach an address where nobody has to say who they are.
    #[error(
        "cannot listen on {0}: without identity the server listens on loopback only; \
         use an address such as 127.0.0.1:50051"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A server that listens and does not answer yet.
pub struct Server {
    options: Options,
    listener: TcpListener,
    address: SocketAddr,
    admin: Option<(TcpListener, SocketAddr)>,
    metrics: Option<PrometheusHandle>,
    peers: Peers,
}

impl Server {
    /// Listens. Port 0 takes any free port; [`Server::address`] says which.
    ///
    /// # Errors
    /// [`BindError`] names the address and why it cannot be had.
    pub async fn bind(options: Options) -> Result<Self, BindError> {
        let (listener, address) = listen(options.listen).await?;
        let admin = match options.admin_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        Ok(Self { options, listener, address, admin, metrics: None, peers: Peers::default() })
    }

    /// Shows these metrics on the operators' port.
    #[must_use]
    pub fn with_metrics(mut self, metrics: PrometheusHandle) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Returns what reaches the models of the other servers that share a store.
    #[must_use]
    pub fn colleagues(&self) -> Arc<dyn Colleagues> {
        Arc::new(self.peers.clone())
    }

    /// Returns where gRPC listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where `/metrics`, `/livez` and `/readyz` listen.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(_, address)| *address)
    }

    /// Serves until `shutdown` is ready or the engine stops by itself; then drains and stops the engine.
    ///
    /// Draining: the workspaces go to the servers that share the store, health says NOT_SERVING, every offer stream gets a `Drain` message and ends, calls
    /// in flight are finished. What has not ended after `shutdown_grace_secs` is cut.
    ///
    /// # Errors
    /// The transport failed.
    pub async fn run(
        self,
        handle: Handle,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), tonic::transport::Error> {
        let (ready, readiness) = watch::channel(true);
        let (draining_sender, draining) = watch::channel(false);
        let health = HealthReporter::new();
        report(&health, ServingStatus::Serving).await;
        let operations = self.admin.map(|(listener, _)| {
            tokio::spawn(operations::serve(listener, self.metrics, readiness))
        });
        let cut = CancellationToken::new();
        let incoming = connection::accept(self.listener, self.options.connections_max, cut.clone());
        let routes = routes(&self.options, &handle, &draining, &health, &self.peers);
        let forward = ForwardLayer {
            handle: handle.clone(),
            peers: self.peers.clone(),
            draining: draining.clone(),
        };
        let mut drain = draining.clone();
        let signal = async move {
            let _ = drain.wait_for(|draining| *draining).await;
        };
        let serving =
            builder(&self.options, forward).serve_with_incoming_shutdown(routes, incoming, signal);
        let mut serving = std::pin::pin!(serving);
        let mut engine = handle.stopping();
        let served = tokio::select! {
            served = &mut serving => served,
            () = async { tokio::select! {
                () = shutdown => {}
                _ = engine.wait_for(|stopping| *stopping) => {}
            } } => {
                tracing::info!("draining");
                ready.send_replace(false);
                report(&health, ServingStatus::NotServing).await;
                close_watches(&health).await;
                handle.leave().await;
                draining_sender.send_replace(true);
                let grace = Duration::from_secs(self.options.shutdown_grace_secs);
                tokio::time::timeout(grace, serving).await.unwrap_or_else(|_| {
                    tracing::warn!(grace_secs = grace.as_secs(), "cutting what has not ended");
                    Ok(())
                })
            }
        };
        cut.cancel();
        handle.stop().await;
        drop(ready);
        if let Some(operations) = operations {
            let _ = operations.await;
        }
        served
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    if !Options::may_listen_on(&address) {
        return Err(BindError::NotLoopback(address));
    }
    let failed = |source| BindError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn report(health: &HealthReporter, status: ServingStatus) {
    for service in SERVICES.into_iter().chain([""]) {
        health.set_service_status(service, status).await;
    }
}

/// Ends the streams of those who watch the health, after they saw the last status.
async fn close_watches(health: &HealthReporter) {
    let mut health = health.clone();
    for service in SERVICES.into_iter().chain([""]) {
        health.clear_service_status(service).await;
    }
}

type Layers = Stack<
    ForwardLayer,
    Stack<
        ObserveLayer,
        Stack<tonic_web::GrpcWebLayer, Stack<CorsLayer, Stack<OriginLayer, Identity>>>,
    >,
>;

fn builder(options: &Options, forward: ForwardLayer) -> tonic::transport::Server<Layers> {
    tonic::transport::Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(options.streams_per_connection_max)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(Duration::from_secs(options.keepalive_interval_secs)))
        .http2_keepalive_timeout(Some(Duration::from_secs(options.keepalive_timeout_secs)))
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(ERROR_RESETS_MAX))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .layer(OriginLayer::new(&options.cors_origins))
        .layer(cors(&options.cors_origins))
        .layer(tonic_web::GrpcWebLayer::new())
        .layer(ObserveLayer::new())
        .layer(forward)
}

/// Tells browsers which pages of other origins may call; `origin` refuses the others.
fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| origin.parse().ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([http::Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(
            ["grpc-status", "grpc-message", "grpc-status-details-bin"]
                .map(http::HeaderName::from_static),
        )
}

fn routes(
    options: &Options,
    handle: &Handle,
    draining: &watch::Receiver<bool>,
    health: &HealthReporter,
    peers: &Peers,
) -> Routes {
    let handle = || handle.clone();
    let draining = || draining.clone();
    let tickets = Tickets {
        handle: handle(),
        draining: draining(),
        calls: Admission::new("ticket calls", options.ticket_calls_max),
        watches: Admission::new("ticket watches", options.watch_streams_max),
    };
    let agents = Agents { handle: handle(), draining: draining(), seats: Seats::default() };
    let classification = Classification {
        handle: handle(),
        calls: Admission::new("classifications", options.classify_calls_max),
    };
    let insight = Insight {
        handle: handle(),
        shown_tickets_min: options.shown_tickets_min,
        draining: draining(),
        streams: Admission::new("alarm streams", options.watch_streams_max),
        measures: Admission::new("measures", options.measure_calls_max),
    };
    macro_rules! server {
        ($server:ident, $service:expr, $bytes_max:expr) => {
            InterceptedService::new(
                $server::new($service)
                    .accept_compressed(Gzip)
                    .send_compressed(Gzip)
                    .max_decoding_message_size($bytes_max),
                intercept,
            )
        };
    }
    let health = tonic_health::pb::health_server::HealthServer::new(
        HealthService::from_health_reporter(health.clone()),
    );
    let routes = Routes::new(health.accept_compressed(Gzip))
        .add_service(server!(TicketServiceServer, tickets, MESSAGE_BYTES_MAX))
        .add_service(server!(AgentServiceServer, agents, MESSAGE_BYTES_MAX))
        .add_service(server!(
            AdminServiceServer,
            Admin { handle: handle(), peers: peers.clone() },
            ADMIN_MESSAGE_BYTES_MAX
        ))
        .add_service(server!(
            ClassificationServiceServer,
            classification,
            CLASSIFY_MESSAGE_BYTES_MAX
        ))
        .add_service(server!(InsightServiceServer, insight, MESSAGE_BYTES_MAX))
        .add_service(
            PeerServiceServer::new(Peer { handle: handle() })
                .max_decoding_message_size(CLASSIFY_MESSAGE_BYTES_MAX),
        );
    with_reflection(routes)
}

/// Adds reflection in both versions: Python's client asks for v1alpha, buf for v1.
fn with_reflection(routes: Routes) -> Routes {
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    match (described().build_v1(), described().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => routes
            .add_service(v1.accept_compressed(Gzip))
            .add_service(v1alpha.accept_compressed(Gzip)),
        // Our own descriptors always parse; a test lists the services both ways.
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "reflection is off");
            routes
        }
    }
}
