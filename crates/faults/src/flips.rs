//! Damage in the data folder: found and said, or harmless, but never silently wrong.

mod damage;
mod picture;

use std::{collections::BTreeMap, fs, path::Path, process::ExitStatus, time::Duration};

use anyhow::Context;
use tempfile::TempDir;
use tokio::time::timeout;
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt;

use self::{damage::Damage, picture::Picture};
use crate::{
    book::Acknowledged,
    check::{Rule, Violation},
    figures::Figures,
    progress::Progress,
    random::Dice,
    run::{Ended, Run},
    server::{self, Program},
    world::{self, Size},
};

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that serves.
    pub program: Program,
    /// How often to damage a copy.
    pub count: usize,
    /// Repeats the choices.
    pub seed: u64,
}

/// A small folder: what is damaged is mostly something that is read back.
const SIZE: Size = Size { tickets: 25, agents: 4, pace_ms: 60 };
/// How long everybody works before the folder is copied.
const WORK_FOR: Duration = Duration::from_secs(2);
/// Keys that are sent again to see whether they are remembered.
const KEYS_TRIED: usize = 5;
/// Longest time to read everything back.
const READ_WITHIN: Duration = Duration::from_secs(60);
/// Silent faults that are told in full.
const TOLD_MAX: usize = 12;

/// A folder as a server left it, and what it says when it is whole.
struct Original {
    name: &'static str,
    folder: TempDir,
    picture: Picture,
    keys: Vec<Acknowledged>,
}

/// What became of a damage.
enum Class {
    /// The server did not start, and ended with this code.
    Refused(Option<i32>),
    /// A call failed, for this reason.
    Detected(String),
    /// The server ended while it was read.
    Died,
    /// Everything is as it was.
    Harmless,
    /// Something is not as it was, and nobody says so.
    Silent(Vec<String>),
    /// The server neither starts nor ends, or a call never ends.
    Hangs,
}

/// Runs all faults; silent ones are violations.
///
/// # Errors
/// The run itself fails.
pub async fn run(plan: &Plan, progress: &mut Progress) -> Result<Ended, anyhow::Error> {
    let stopped = original(plan, "stopped", plan.seed).await?;
    let killed = original(plan, "killed", plan.seed.wrapping_add(1)).await?;
    let mut figures = Figures::default();
    let mut violations = Vec::new();
    let mut dice = Dice::new(plan.seed, "flips");
    for number in 0..plan.count {
        let original = if dice.chance(50) { &stopped } else { &killed };
        let copy = TempDir::with_prefix("evenhand-faults-")?;
        copy_files(original.folder.path(), copy.path())?;
        let damage = Damage::choose(copy.path(), &mut dice)?;
        damage.apply(copy.path())?;
        let class = read_back(plan, original, copy.path(), &mut dice).await?;
        if let Class::Refused(code) = &class {
            figures.add(&format!("refused with {code:?}"), 1);
        }
        if let Class::Detected(reason) = &class {
            figures.add(&format!("detected as {reason}"), 1);
        }
        let word = match &class {
            Class::Refused(_) => "refused",
            Class::Detected(_) => "detected",
            Class::Died => "died",
            Class::Harmless => "harmless",
            Class::Silent(_) => "silent",
            Class::Hangs => "hangs",
        };
        figures.add(word, 1);
        figures.add(&format!("{word}: {} {} {}", original.name, damage.file, damage.kind()), 1);
        progress.step(word);
        let lines = match class {
            Class::Silent(lines) => lines,
            Class::Hangs => vec!["the server hangs".to_owned()],
            _ => continue,
        };
        let what = format!("number {number}, {}, {damage:?}", original.name);
        let violation = Violation::new(Rule::DamageIsSaid, what);
        violations.push(if violations.len() < TOLD_MAX {
            violation.with(lines)
        } else {
            violation
        });
    }
    figures.add("faults", plan.count);
    Ok(Ended { figures, violations, kept: None })
}

/// Makes a folder by real work, ended in order or by SIGKILL, in which nothing moves any more.
async fn original(plan: &Plan, name: &'static str, seed: u64) -> Result<Original, anyhow::Error> {
    let mut run = Run::begin(&plan.program, SIZE, seed, false).await?;
    let server = run.start().await?;
    run.book.set_address(Some(server.address.clone()));
    tokio::time::sleep(WORK_FOR).await;
    run.calm_down(&server).await?;
    let channel = server::channel(&server.address)?;
    world::still(&channel, SIZE.agents).await?;
    let picture = Picture::take(&channel).await.context("the whole folder cannot be read")?;
    if name == "killed" {
        server.kill().await?;
    } else {
        server.stop().await?;
    }
    let folder = TempDir::with_prefix("evenhand-faults-")?;
    copy_files(run.folder(), folder.path())?;
    let keys = run.book.acknowledged().clone();
    let original = Original { name, folder, picture, keys };
    // The whole copy must read the same, or nothing could be said of damaged ones.
    let copy = TempDir::with_prefix("evenhand-faults-")?;
    copy_files(original.folder.path(), copy.path())?;
    let mut dice = Dice::new(seed, "whole");
    match read_back(plan, &original, copy.path(), &mut dice).await? {
        Class::Harmless => Ok(original),
        Class::Silent(lines) => anyhow::bail!("an undamaged copy differs:\n{}", lines.join("\n")),
        _ => anyhow::bail!("an undamaged copy cannot be read"),
    }
}

/// Starts a server on a folder and compares what it says with the original.
async fn read_back(
    plan: &Plan,
    original: &Original,
    folder: &Path,
    dice: &mut Dice,
) -> Result<Class, anyhow::Error> {
    let mut server = match plan.program.start(folder).await? {
        Ok(server) => server,
        Err(not_started) => {
            let refused = |exit: ExitStatus| Class::Refused(exit.code());
            return Ok(not_started.exit.map_or(Class::Hangs, refused));
        }
    };
    let channel = server::channel(&server.address)?;
    let Ok(read) = timeout(READ_WITHIN, Picture::take(&channel)).await else {
        return Ok(Class::Hangs);
    };
    let class = match read {
        Ok(picture) => match compare(original, &picture, &channel, dice).await {
            Ok(differences) if differences.is_empty() => Class::Harmless,
            Ok(differences) => Class::Silent(differences),
            Err(status) => failed(&status),
        },
        Err(_) if server.ended().is_some() => Class::Died,
        Err(status) => failed(&status),
    };
    server.kill().await?;
    Ok(class)
}

/// Returns how a picture differs from the original, and which keys are forgotten.
async fn compare(
    original: &Original,
    picture: &Picture,
    channel: &Channel,
    dice: &mut Dice,
) -> Result<Vec<String>, Status> {
    let mut differences = original.picture.differences(picture);
    for _ in 0..KEYS_TRIED {
        if let Some(known) = dice.pick(&original.keys) {
            differences.extend(picture::remembers(channel, known).await?);
        }
    }
    Ok(differences)
}

/// Returns what a failed call is: one that blames the store says the damage, any other misleads.
fn failed(status: &Status) -> Class {
    let reason = reason(status);
    if ["STORE_FAILED", "INTERNAL_ERROR"].contains(&reason.as_str()) {
        return Class::Detected(reason);
    }
    Class::Silent(vec![format!("a call fails with {reason}: {}", status.message())])
}

/// Returns the reason of a failed call, or its code where it has none.
fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    info.map_or_else(|| format!("{:?}", status.code()), |info| info.reason)
}

fn copy_files(from: &Path, to: &Path) -> Result<(), anyhow::Error> {
    for file in fs::read_dir(from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

/// Returns the names and sizes of the files of a folder that have something in them.
fn files(folder: &Path) -> Result<BTreeMap<String, u64>, anyhow::Error> {
    let mut found = BTreeMap::new();
    for file in fs::read_dir(folder)? {
        let file = file?;
        let bytes = file.metadata()?.len();
        if bytes > 0 {
            found.insert(file.file_name().to_string_lossy().into_owned(), bytes);
        }
    }
    Ok(found)
}
