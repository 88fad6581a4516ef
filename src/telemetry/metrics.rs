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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    /// The metrics named in a text, by what follows `before` up to a quote or a back-tick.
    fn named(text: &str, before: &str) -> BTreeSet<String> {
        let names = text.split(before).skip(1).map(|rest| {
            let name = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_');
            format!("evenhand_{}", name.collect::<String>())
        });
        names.collect()
    }

    fn in_sources(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                in_sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                // Tests quote metrics as Prometheus shows them.
                let program = text.split("#[cfg(test)]").next().unwrap_or_default();
                found.extend(named(program, concat!('"', "evenhand_")));
            }
        }
    }

    #[test]
    fn the_documentation_lists_every_metric_and_no_other() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut recorded = BTreeSet::new();
        in_sources(&root.join("src"), &mut recorded);
        let documented = fs::read_to_string(root.join("docs/metrics.md")).unwrap();
        assert_eq!(recorded, named(&documented, "| `evenhand_"));
    }
}
