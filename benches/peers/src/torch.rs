//! PyTorch, in a child process that torch_peer.py runs in: it measures itself and answers in lines.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{ChildStdin, ChildStdout, Command, Stdio},
    rc::Rc,
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    contender::{Clock, Contender},
    work::{Batch, Work},
};

/// Variables that keep PyTorch's libraries from using more than AVX2.
const AVX2: [(&str, &str); 4] = [
    ("ATEN_CPU_CAPABILITY", "avx2"),
    ("FBGEMM_ENABLE_INSTRUCTIONS", "AVX2"),
    ("MKL_ENABLE_INSTRUCTIONS", "AVX2"),
    ("ONEDNN_MAX_CPU_ISA", "AVX2"),
];

/// What the child is told first.
#[derive(Serialize)]
struct Task<'a> {
    wall: bool,
    works: BTreeMap<&'a str, Passes<'a>>,
}

#[derive(Serialize)]
struct Passes<'a> {
    passes: usize,
    batches: Vec<Inputs<'a>>,
}

impl<'a> Passes<'a> {
    fn new(work: &'a Work) -> Self {
        Self { passes: work.passes, batches: work.padded.iter().map(Inputs::new).collect() }
    }
}

#[derive(Serialize)]
struct Inputs<'a> {
    ids: Vec<&'a [i64]>,
    /// None where nothing is padded.
    mask: Option<Vec<&'a [i64]>>,
}

impl<'a> Inputs<'a> {
    fn new(batch: &'a Batch) -> Self {
        let rows = |all: &'a [i64]| all.chunks_exact(batch.longest).collect();
        Self { ids: rows(&batch.ids), mask: (!batch.is_full()).then(|| rows(&batch.mask)) }
    }
}

/// What it answers.
#[derive(Deserialize)]
struct Greeting {
    versions: String,
    contenders: Vec<String>,
}

/// The process.
pub(crate) struct Child {
    pipes: Rc<RefCell<Pipes>>,
    greeting: Greeting,
}

struct Pipes {
    process: std::process::Child,
    /// None when the child is asked to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Child {
    /// Starts it and hands it the work.
    pub(crate) fn start(
        python: &Path,
        exported: &Path,
        works: &[Work],
        clock: Clock,
        avx2: bool,
    ) -> Result<Self> {
        let mut command = Command::new(python);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("torch_peer.py");
        command.arg(script).arg(exported).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.envs([("OMP_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "1")]);
        if avx2 {
            command.envs(AVX2);
        }
        let mut process = command.spawn().with_context(|| python.display().to_string())?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().context("the child has no output")?);
        let mut pipes = Pipes { process, input, output };
        let works = works.iter().map(|work| (work.name, Passes::new(work))).collect();
        let task = Task { wall: matches!(clock, Clock::Elapsed), works };
        let greeting = serde_json::from_str(&pipes.ask(&serde_json::to_string(&task)?)?)?;
        Ok(Self { pipes: Rc::new(RefCell::new(pipes)), greeting })
    }

    /// Returns versions.
    pub(crate) fn describe(&self) -> String {
        self.greeting.versions.clone()
    }

    /// Returns the contenders that it offers.
    pub(crate) fn contenders(self) -> impl Iterator<Item = Box<dyn Contender>> {
        self.greeting.contenders.into_iter().map(move |kind| {
            let name = format!("PyTorch {kind}");
            Box::new(Torch { pipes: Rc::clone(&self.pipes), kind, name }) as Box<dyn Contender>
        })
    }
}

impl Pipes {
    /// Sends a line and returns the next.
    fn ask(&mut self, line: &str) -> Result<String> {
        let input = self.input.as_mut().context("the child has no input")?;
        writeln!(input, "{line}")?;
        input.flush()?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        ensure!(!answer.is_empty(), "torch_peer.py ended; it says why above");
        Ok(answer)
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        // Without an input it ends; there is nobody left to tell if it does not.
        drop(self.input.take());
        drop(self.process.wait());
    }
}

/// One of the child's contenders.
struct Torch {
    pipes: Rc<RefCell<Pipes>>,
    kind: String,
    name: String,
}

impl Torch {
    fn ask<T: for<'a> Deserialize<'a>>(&self, what: &str, work: &Work) -> Result<T> {
        let line = format!("{what} {} {}", self.kind, work.name);
        Ok(serde_json::from_str(&self.pipes.borrow_mut().ask(&line)?)?)
    }
}

impl Contender for Torch {
    fn name(&self) -> &str {
        &self.name
    }

    fn seconds(&mut self, work: &Work) -> Result<f64> {
        self.ask("seconds", work)
    }

    fn means(&mut self, work: &Work) -> Result<Vec<Vec<f32>>> {
        let rows: Vec<Vec<f32>> = self.ask("means", work)?;
        let mut means = vec![Vec::new(); work.tickets()];
        let tickets = work.padded.iter().flat_map(|batch| &batch.tickets);
        for (ticket, row) in tickets.zip(rows) {
            means[*ticket] = row;
        }
        Ok(means)
    }
}
