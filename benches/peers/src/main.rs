//! Measures Evenhand's text encoder beside its peers on one thread; README.md says how and what.

mod candle_bert;
mod contender;
mod machine;
mod measure;
mod onnx;
mod ours;
mod table;
mod torch;
mod work;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use candle_bert::CandleBert;
use clap::Parser;
use contender::{Clock, Contender, InProcess};
use evenhand::classifier::Model;
use ours::Ours;

/// Which contenders, on what, and how often. Those whose library is not named are left out.
#[derive(Parser)]
#[command(about)]
struct Options {
    /// The folder that export.py wrote.
    exported: PathBuf,
    /// The folder of Evenhand's model that export.py read.
    #[arg(long, default_value = "models/support/2.1.0")]
    model: PathBuf,
    /// The folder of the CSV files that the tickets are taken from.
    #[arg(long, default_value = "models/corpus")]
    corpus: PathBuf,
    /// ONNX Runtime's library: libonnxruntime.so and its version.
    #[arg(long)]
    onnxruntime: Option<PathBuf>,
    /// A Python that has torch and transformers.
    #[arg(long)]
    python: Option<PathBuf>,
    /// How often each contender gets its turn.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Count elapsed time in place of the time that the processor worked.
    #[arg(long)]
    wall: bool,
    /// Without AVX-512 and VNNI: PyTorch and ours alone, as the others cannot be told.
    #[arg(long)]
    avx2: bool,
    /// Leave out contenders whose names have none of these words.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

impl Options {
    /// Whether a contender takes part.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| name.contains(word.as_str()))
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(options.rounds > 0, "--rounds is 0; allowed is at least 1");
    machine::keep_to_one_thread()?;
    if options.avx2 {
        evenhand_kernels::hold_to_avx2();
    }
    let model = Model::load(&options.model)?;
    let tickets = work::tickets(&model, &options.corpus)?;
    let works = work::works(&tickets);
    let clock = if options.wall { Clock::Elapsed } else { Clock::Processor };
    let mut reference = InProcess::new(CandleBert::load(&options.exported)?, clock);
    let wanted = reference.means(work::named(&works, work::SINGLE)?)?;

    let mut notes = vec![machine::describe(), clock.describe().to_owned()];
    if options.avx2 {
        notes.push("Evenhand and PyTorch are held to AVX2".to_owned());
    }
    let mut contenders: Vec<Box<dyn Contender>> =
        vec![Box::new(InProcess::new(Ours::new(model), clock))];
    if !options.avx2 {
        notes.push(format!("candle-transformers {}", candle_bert::version()));
        contenders.push(Box::new(reference));
        if let Some(path) = &options.onnxruntime {
            let library = onnx::Library::load(path)?;
            notes.push(library.describe());
            for reader in library.readers(&options.exported)? {
                contenders.push(Box::new(InProcess::new(reader, clock)));
            }
        }
    }
    if let Some(python) = &options.python {
        let child = torch::Child::start(python, &options.exported, &works, clock, options.avx2)?;
        notes.push(child.describe());
        contenders.extend(child.contenders());
    }
    // Ratios are to ours, which is the first.
    let ours = contenders.remove(0);
    contenders.retain(|contender| options.wants(contender.name()));
    contenders.insert(0, ours);

    let seconds = measure::rounds(&mut contenders, &works, options.rounds)?;
    let likeness =
        measure::likeness(&mut contenders, work::named(&works, work::BATCHES)?, &wanted)?;
    let names: Vec<&str> = contenders.iter().map(|contender| contender.name()).collect();
    print!("{}", table::markdown(&names, &works, &seconds, &likeness, &notes));
    Ok(())
}
