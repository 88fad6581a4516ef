//! `evenhand train`: fits heads to labelled tickets.

use std::path::{Path, PathBuf};

use anyhow::Context;
use candle_core::Device;
use clap::ArgGroup;
use indicatif::ProgressBar;

use super::{
    Format,
    exit_code::{ExitCode, Failure},
    labelled::{self, Beside, HeadColumn, LabelledError, Several},
    output,
};
use crate::classifier::{
    Manifest,
    artifact::{Artifact, MANIFEST},
    find_model,
    heads::Heads,
    language,
    metrics::as_f64,
    train::{
        base::{Base, Foreign},
        labelled::{LabelsError, split},
        own::{self, OwnPlan, Stage, Trained, Way},
        shipped::{self, ShippedPlan},
    },
};

/// Seed when none is given.
const SEED: u64 = 20_261_124;

/// From here on loading is announced: what a small machine may not have to spare.
const BIG_LOAD_BYTES: usize = 512 << 20;

/// Arguments of `evenhand train`.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).args(["data", "shipped"]))]
pub struct Args {
    /// A CSV file of labelled texts, with a header.
    #[arg(long, value_name = "FILE", requires = "text_column", requires = "label")]
    data: Option<PathBuf>,
    /// Another such file to choose and measure on; without it a part of the first is.
    #[arg(long, value_name = "FILE", requires = "data")]
    validation: Option<PathBuf>,
    /// The column of texts.
    #[arg(long, value_name = "COLUMN")]
    text_column: Option<String>,
    /// A head and its column of labels; `intent`, `sentiment`, `urgency`, or a name of your own.
    #[arg(long, value_name = "HEAD=COLUMN")]
    label: Vec<HeadColumn>,
    /// The intent label of texts that no intent fits.
    #[arg(long, value_name = "LABEL")]
    out_of_scope_label: Option<String>,
    /// A head of which a text may have several labels or none, and what stands between them in its
    /// column, for example 'intent=|'.
    #[arg(long, value_name = "HEAD=SEPARATOR", requires = "data")]
    several: Vec<Several>,
    /// Lets the encoder learn too: minutes to hours. Interrupted, the same command goes on after the
    /// last whole pass over the texts.
    #[arg(long, requires = "data")]
    full: bool,
    /// Folder of the encoder to start from: one of ours, or one of the BERT or RoBERTa family in
    /// safetensors (see models/README.md).
    #[arg(long, value_name = "DIR")]
    encoder: Option<PathBuf>,
    /// Languages that the encoder reads, as ISO 639-1 codes; those of the model it comes from when
    /// absent, or else English. Tickets in others are not guessed at.
    #[arg(long, value_name = "CODE,…", value_delimiter = ',', value_parser = language::code)]
    #[arg(conflicts_with = "shipped")]
    languages: Vec<String>,
    /// Trains the shipped model again, from this folder of public data sets (see models/README.md).
    #[arg(long, value_name = "DIR", requires = "corpus")]
    shipped: Option<PathBuf>,
    /// Folder of the tickets written for the shipped model.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Name of the model; the last part of --out when absent.
    #[arg(long)]
    name: Option<String>,
    /// Seed of every draw.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// Where the model is written.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] says what is wrong with the arguments, the files or the labels.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let started = tokio::time::Instant::now();
    let usage = |error: anyhow::Error| Failure::new(ExitCode::Usage, error);
    let (mut base, inherited) = encoder(args.encoder.as_deref()).map_err(usage)?;
    if !args.languages.is_empty() {
        base.languages = args.languages.clone();
        base.languages.sort_unstable();
        base.languages.dedup();
    }
    if let (Some(data_dir), Some(corpus_dir)) = (&args.shipped, &args.corpus) {
        let plan = ShippedPlan {
            data_dir: data_dir.clone(),
            corpus_dir: corpus_dir.clone(),
            seed: args.seed,
        };
        let bar = bar("reading");
        let mut artifact =
            shipped::train(&plan, base, args.out.clone(), |stage| show(&bar, stage))?;
        artifact.write().map_err(anyhow::Error::from)?;
        return print_manifest(&artifact.manifest, format).map_err(Failure::from);
    }
    let trained = own(args, base, inherited).map_err(|error| {
        let usage = error.is::<LabelsError>() || error.is::<LabelledError>();
        Failure::new(if usage { ExitCode::Usage } else { ExitCode::Unexpected }, error)
    })?;
    let mut artifact = trained.artifact;
    artifact.write().map_err(anyhow::Error::from)?;
    labelled::print_reports(
        &trained.reports,
        &[("seconds", started.elapsed().as_secs_f64())],
        format,
    )
    .map_err(Failure::from)
}

/// Returns the encoder to start from, and its heads when it is one of our models.
fn encoder(dir: Option<&Path>) -> anyhow::Result<(Base, Heads)> {
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => find_model(None)?,
    };
    if !dir.join(MANIFEST).is_file() {
        let foreign = Foreign::open(&dir)?;
        if foreign.memory_bytes() >= BIG_LOAD_BYTES {
            output::complain(&format!(
                "{}: {:.0} million weights; loading them takes about {:.1} GiB of memory, and with \
                 --full learning takes several times as much",
                dir.display(),
                as_f64(foreign.weights()) / 1e6,
                as_f64(foreign.memory_bytes()) / f64::from(1 << 30)
            ));
        }
        return Ok((foreign.load(&Device::Cpu)?, Heads::default()));
    }
    let artifact = Artifact::read(&dir)?;
    Ok((Base::of_artifact(&artifact, &Device::Cpu)?, own::inherit(&artifact)?))
}

fn own(args: &Args, base: Base, inherited: Heads) -> anyhow::Result<Trained> {
    let (Some(data), Some(column)) = (&args.data, &args.text_column) else {
        anyhow::bail!("--data and --text-column are missing")
    };
    let beside = Beside {
        out_of_scope_label: args.out_of_scope_label.as_deref(),
        several: &args.several,
        ..Beside::default()
    };
    let read = |file| labelled::read(file, column, &args.label, beside);
    let mut all = read(data)?;
    let (train, held_out) = match &args.validation {
        Some(file) => {
            let from = u32::try_from(all.texts.len())?;
            labelled::append(&mut all, read(file)?);
            let to = u32::try_from(all.texts.len())?;
            ((0..from).collect(), (from..to).collect())
        }
        None => split(&all, args.seed),
    };
    anyhow::ensure!(!all.texts.is_empty(), "{}: no row has a text", data.display());
    let plan = OwnPlan { name: name(args), dir: args.out.clone(), seed: args.seed };
    let way = if args.full { Way::Full } else { Way::Frozen(Box::new(inherited)) };
    let refit = args.validation.is_none();
    let bar = bar("reading");
    own::train(&plan, base, &all, (&train, &held_out), way, refit, |stage| show(&bar, stage))
}

fn show(bar: &ProgressBar, stage: Stage) {
    match stage {
        Stage::Reading(done, all) => {
            bar.set_message("reading");
            step(bar, done, all);
        }
        Stage::Learning(progress) => {
            bar.set_message(match progress.held_out_loss {
                Some(loss) => format!("learning, held-out loss {loss:.3}"),
                None => "learning".to_owned(),
            });
            step(bar, progress.steps.0, progress.steps.1);
        }
    }
}

fn name(args: &Args) -> String {
    let last = || args.out.file_name().map(|name| name.to_string_lossy().into_owned());
    args.name.clone().or_else(last).unwrap_or_else(|| "own".to_owned())
}

/// A bar on a terminal; nothing in a pipe.
fn bar(what: &'static str) -> ProgressBar {
    let bar = output::bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    bar.set_message(what);
    bar
}

fn step(bar: &ProgressBar, done: usize, all: usize) {
    bar.set_length(u64::try_from(all).unwrap_or(u64::MAX));
    bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    if done == all {
        bar.reset();
    }
}

fn print_manifest(manifest: &Manifest, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => output::print(&serde_json::to_string(&manifest.scores)?)?,
        Format::Text => {
            for score in &manifest.scores {
                let (data, head, measure) = (&score.data, &score.head, &score.measure);
                let line = format!("{data:32} {head:10} {measure:18} {:.4}", score.value);
                output::print(&line).context("standard output")?;
            }
        }
    }
    Ok(())
}
