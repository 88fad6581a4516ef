//! `evenhand serve`: the service.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    Format,
    exit_code::{ExitCode, Failure},
    output,
};
use crate::{
    app,
    classifier::{self, Classify, Model, Worker, WorkerOptions},
    clock::SystemClock,
    config::{self, Config, ModelChoice, Overrides},
    events,
    service::Server,
    telemetry,
};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file (TOML). Environment variables EVENHAND_SECTION__KEY win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the database lies; made when missing. Default: ./evenhand-data.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where gRPC listens; loopback only. Default: 127.0.0.1:50051.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Check configuration and model, say so, and exit.
    #[arg(long)]
    check: bool,
}

/// Runs the service until it is asked to stop.
///
/// # Errors
/// [`Failure`] says why it did not start, or how it ended.
pub fn run(args: Args, format: Format) -> Result<(), Failure> {
    let overrides = Overrides { data_dir: args.data_dir, listen: args.listen };
    let config = match config::load(args.config.as_deref(), &overrides) {
        Ok(config) => config,
        Err(error) if args.check => return Err(refuse(&error, format)?),
        Err(error) => return Err(Failure::new(ExitCode::Usage, error)),
    };
    let model = load_model(&config.model)?;
    if args.check {
        return Ok(approve(&config, model.as_deref(), format)?);
    }
    let runtime = tokio::runtime::Runtime::new().context("the threads could not be started")?;
    runtime.block_on(serve(config, model))
}

async fn serve(config: Config, model: Option<Arc<dyn Classify>>) -> Result<(), Failure> {
    telemetry::logging::start(&config.log);
    let metrics = telemetry::metrics::start();
    let not_ready = |error| Failure { code: ExitCode::NotReady, error: Some(error) };
    // The address first: with it taken, nothing else is touched.
    let server = Server::bind(config.server.clone())
        .await
        .map_err(|error| not_ready(error.into()))?
        .with_metrics(metrics);
    let name = model.as_ref().map_or_else(|| "keyword rules".to_owned(), |model| model.info().name);
    let address = config.advertise.clone().unwrap_or_else(|| server.address().to_string());
    let parts = app::Parts {
        store: config.store.clone(),
        peering: app::Peering { address, colleagues: Some(server.colleagues()) },
        classifier: model,
        clock: Arc::new(SystemClock),
    };
    let handle = app::start(parts)
        .await
        .with_context(|| format!("the store in {} cannot be used", config.store))
        .map_err(not_ready)?;
    tokio::spawn(telemetry::measures::run(handle.clone(), config.measures));
    if let Some(options) = config.events {
        tokio::spawn(events::publish(handle.clone(), options));
    }
    if let Some(options) = config.webhooks {
        tokio::spawn(events::post(handle.clone(), options));
    }
    // Before it says that it serves: whoever reads that may stop it at once.
    let stop_signal = stop_signal().context("signals cannot be received")?;
    tracing::info!(
        listen = %server.address(),
        metrics = server.admin_address().map(tracing::field::display),
        store = %config.store,
        reads = name,
        "evenhand serves; stop it with Ctrl-C"
    );
    let mut asked_to_stop = false;
    server
        .run(handle, async {
            stop_signal.await;
            asked_to_stop = true;
        })
        .await
        .context("the server failed")?;
    if !asked_to_stop {
        // Whoever supervises the service must see that it did not end well.
        return Err(anyhow::anyhow!("the engine stopped by itself; the log says why").into());
    }
    tracing::info!("evenhand stopped");
    Ok(())
}

/// Returns a future that ends with the first SIGINT or SIGTERM.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Loads the chosen model. Without a shipped one the service runs all the same, by rules.
fn load_model(choice: &ModelChoice) -> Result<Option<Arc<dyn Classify>>, Failure> {
    let not_ready = |error: anyhow::Error| Failure { code: ExitCode::NotReady, error: Some(error) };
    let explicit = match choice {
        ModelChoice::None => return Ok(None),
        ModelChoice::Auto => None,
        ModelChoice::Directory(directory) => Some(directory.as_path()),
    };
    let directory = match (classifier::find_model(explicit), choice) {
        (Ok(directory), _) => directory,
        (Err(_), ModelChoice::Auto) => return Ok(None),
        (Err(error), _) => return Err(not_ready(error.into())),
    };
    let model = Model::load(&directory).map_err(|error| not_ready(error.into()))?;
    let worker = Worker::start(model, WorkerOptions::default())
        .context("the classifier's thread could not be started")
        .map_err(not_ready)?;
    Ok(Some(Arc::new(worker)))
}

/// Says that everything is in order.
fn approve(
    config: &Config,
    model: Option<&dyn Classify>,
    format: Format,
) -> Result<(), anyhow::Error> {
    let model = model.map(|model| model.info().name);
    let line = match format {
        Format::Json => json!({
            "ok": true,
            "listen": config.server.listen.to_string(),
            "store": config.store.to_string(),
            "model": model,
        })
        .to_string(),
        Format::Text => match model {
            Some(model) => format!("ok: {model} reads"),
            None => "ok: no model is loaded, keyword rules read".to_owned(),
        },
    };
    output::print(&line).context("the result could not be written")
}

/// Says what is wrong.
fn refuse(error: &config::Error, format: Format) -> Result<Failure, anyhow::Error> {
    if format == Format::Json {
        let problems = match error {
            config::Error::Problems(problems) => problems.clone(),
            config::Error::Read(_) => Vec::new(),
        };
        let problems: Vec<_> = problems
            .iter()
            .map(
                |p| json!({"key": p.key, "value": p.value, "place": p.place, "allowed": p.allowed}),
            )
            .collect();
        let report = json!({"ok": false, "problems": problems}).to_string();
        output::print(&report).context("the result could not be written")?;
    }
    let error = Some(anyhow::anyhow!(error.to_string()));
    Ok(Failure { code: ExitCode::CheckFailed, error })
}
