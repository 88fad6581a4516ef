//! The operators' HTTP port: `/metrics` for Prometheus, `/livez` and `/readyz` for probes.

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{net::TcpListener, sync::watch};

/// What the port shows.
#[derive(Clone)]
struct Shown {
    metrics: Option<PrometheusHandle>,
    ready: watch::Receiver<bool>,
}

/// Serves until `ready` has no sender any more.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: Option<PrometheusHandle>,
    ready: watch::Receiver<bool>,
) {
    let mut open = ready.clone();
    let gone = async move { while open.changed().await.is_ok() {} };
    let router = Router::new()
        .route("/metrics", get(render))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readiness))
        .with_state(Shown { metrics, ready });
    // Cut, not drained: a scrape in flight may be repeated.
    tokio::select! {
        ended = async { axum::serve(listener, router).await } => {
            if let Err(error) = ended {
                tracing::error!(%error, "the operators' port failed");
            }
        }
        () = gone => {}
    }
}

async fn render(State(shown): State<Shown>) -> impl IntoResponse {
    let Some(metrics) = shown.metrics else {
        return (StatusCode::NOT_FOUND, "metrics are not recorded\n".to_owned()).into_response();
    };
    metrics.run_upkeep();
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
        .into_response()
}

async fn readiness(State(shown): State<Shown>) -> impl IntoResponse {
    if *shown.ready.borrow() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}
