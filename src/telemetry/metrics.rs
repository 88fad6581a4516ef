//! Metrics for Prometheus. docs/metrics.md lists every one; a test compares.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Upper ends of the histograms' buckets, in seconds; they serve counts up to 1000 as well.
const BUCKETS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 1000.0];

/// Starts recording, once for the whole process, and returns what renders the metrics.
pub fn start() -> PrometheusHandle {
    static STARTED: OnceLock<PrometheusHandle> = OnceLock::new();
    STARTED
        .get_or_init(|| {
            let builder = match PrometheusBuilder::new().set_buckets(&BUCKETS) {
                Ok(builder) => builder,
                // Only an empty list of buckets is refused.
                Err(_) => PrometheusBuilder::new(),
            };
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another recorder takes the metrics");
            }
            let version = env!("CARGO_PKG_VERSION");
            metrics::gauge!("evenhand_build_info", "version" => version).set(1.0);
            handle
        })
        .clone()
}
