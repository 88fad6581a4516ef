//! `evenhand fairness`: measures how evenly a log of decisions treats groups of customers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::Context;
use serde::Serialize;

use super::{
    Format, decisions,
    exit_code::{ExitCode, Failure},
    output,
};
use crate::fairness::audit::{Audit, PairMeasures, Request, audit, text};

/// Arguments of `evenhand fairness`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A CSV file of decisions, with a header; docs/fairness.md has the columns.
    #[arg(long, value_name = "FILE", requires = "attribute", required_unless_present = "pairs")]
    data: Option<PathBuf>,
    /// A column of groups to compare; once for each.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    attribute: Vec<String>,
    /// Columns of groups to look at together.
    #[arg(long, value_name = "A,B[,C]", requires = "data")]
    intersect: Vec<Together>,
    /// Times at which the share of tickets still waiting is told, in seconds.
    #[arg(long, value_name = "SECONDS", value_delimiter = ',', default_value = "60,300,600,900")]
    wait_times: Vec<u32>,
    /// Longest wait that counts in the mean, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    wait_horizon: u32,
    /// Numbers of a group's tickets after which its selection rate is looked at.
    #[arg(long, value_name = "TICKETS", value_delimiter = ',', default_value = "3,5,10")]
    looks: Vec<u64>,
    /// Groups of a column that must appear though they may have no ticket.
    #[arg(long, value_name = "COLUMN=G1,G2", requires = "data")]
    declared: Vec<Declared>,
    /// A CSV file of counterfactual pairs: axis, score_a, score_b.
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
}

/// `A,B[,C]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Together(Vec<String>);

impl FromStr for Together {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let columns: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let twice = |(at, name): (usize, &String)| columns[..at].contains(name);
        if columns.len() < 2 || columns.iter().any(String::is_empty) {
            return Err("expected two columns or more, for example language,plan".to_owned());
        }
        if columns.iter().enumerate().any(twice) {
            return Err("each column may be named once".to_owned());
        }
        Ok(Self(columns))
    }
}

/// `COLUMN=G1,G2`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Declared {
    column: String,
    groups: Vec<String>,
}

impl FromStr for Declared {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "expected COLUMN=GROUP,GROUP, for example language=en,es".to_owned();
        let (column, groups) = text.split_once('=').ok_or_else(wrong)?;
        let groups: Vec<String> = groups.split(',').map(|group| group.trim().to_owned()).collect();
        if column.is_empty() || groups.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self { column: column.to_owned(), groups })
    }
}

/// What is written: the parts that were asked for.
#[derive(Debug, Serialize)]
struct Measured {
    #[serde(flatten)]
    audit: Option<Audit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counterfactual_pairs: Option<PairMeasures>,
}

/// Runs it. Whatever the measures say, measuring was done.
///
/// # Errors
/// [`Failure`] names the file, line, column or option that cannot be used.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let usage = |error: anyhow::Error| Failure::new(ExitCode::Usage, error);
    let audit = args.data.as_deref().map(|data| measure(data, args)).transpose().map_err(usage)?;
    let pairs = args.pairs.as_deref().map(decisions::read_pairs).transpose();
    let pairs = pairs.map_err(|error| usage(error.into()))?;
    let counterfactual_pairs = pairs.map(|pairs| PairMeasures::of(&pairs));
    print(&Measured { audit, counterfactual_pairs }, format)?;
    Ok(())
}

fn measure(data: &Path, args: &Args) -> anyhow::Result<Audit> {
    let mut columns = args.attribute.clone();
    columns.extend(args.intersect.iter().flat_map(|together| together.0.iter().cloned()));
    columns.sort();
    columns.dedup();
    let place = |name: &String| columns.binary_search(name).unwrap_or_default();
    let mut request = Request {
        attributes: args.attribute.iter().map(place).collect(),
        intersections: args.intersect.iter().map(|t| t.0.iter().map(place).collect()).collect(),
        wait_times_secs: args.wait_times.clone(),
        wait_horizon_secs: args.wait_horizon,
        looks: args.looks.clone(),
        declared: BTreeMap::new(),
    };
    for declared in &args.declared {
        anyhow::ensure!(
            args.attribute.contains(&declared.column),
            "--declared names the column {}; --attribute has {}",
            declared.column,
            args.attribute.join(", ")
        );
        let groups = request.declared.entry(place(&declared.column)).or_default();
        groups.extend(declared.groups.iter().cloned());
    }
    let read = decisions::read(data, &columns)?;
    if !read.missing.is_empty() {
        output::complain(&format!(
            "{}: no column {}; what needs it is left undefined",
            data.display(),
            read.missing.join(", ")
        ));
    }
    audit(&read.log, &request).with_context(|| data.display().to_string())
}

fn print(measured: &Measured, format: Format) -> anyhow::Result<()> {
    let lines = match format {
        Format::Json => serde_json::to_string(measured)?,
        Format::Text => {
            let audit = measured.audit.as_ref().map(text::audit_text);
            let pairs = measured.counterfactual_pairs.as_ref().map(text::pairs_text);
            audit.into_iter().chain(pairs).collect::<Vec<_>>().join("\n\n")
        }
    };
    output::print(&lines).context("standard output")
}
