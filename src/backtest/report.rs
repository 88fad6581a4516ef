//! Three columns beside each other: what was recorded, the same policies on the model, another policy.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    difference::{Differences, differences},
    groups::Segments,
    history::History,
    measures::{Frame, Measures, longest_wait_secs, measure},
    tally::Tally,
    world::{Plot, RunError, Script, run},
};
use crate::domain::{event::Event, policy::Policy, time::UnixMillis};

/// Baseline and record may differ by this share before the model is doubted aloud.
const MODEL_ERROR_MAX: f64 = 0.2;
/// Waits that differ by less, in seconds, are not doubted: nobody notices.
const WAIT_ERROR_SECS: f64 = 1.0;
/// Fewest tickets from which a difference between baseline and record is more than chance.
const TICKETS_MIN: u64 = 30;
/// What of a run each of the three takes on the progress bar.
const RUN_SHARE: f64 = 1.0 / 3.0;

/// What to replay, and under which policy.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Name of the workspace.
    pub workspace: &'a str,
    /// The policy to try.
    pub policy: &'a Policy,
    /// Its keys that differ from the policy in force at the end of the journal.
    pub changed: &'a [String],
    /// Segment values of the tickets, for measuring.
    pub segments: &'a Segments,
    /// Seed of the draws that both runs share.
    pub seed: u64,
}

/// Which policies were in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyVersions {
    /// Versions in force while it was recorded; the baseline has the same.
    pub recorded: BTreeSet<u32>,
    /// The version from which the candidate takes what its file does not say.
    pub candidate_base: u32,
    /// Keys in which the candidate differs from it.
    pub changed: Vec<String>,
}

/// Whether the core does again what it did, with every answer and every end as recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Offers recorded in the window.
    pub offers: u64,
    /// Of them, made again: for the same ticket, to the same agent, at the same moment.
    pub same: u64,
}

/// A backtest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The workspace.
    pub workspace: String,
    /// When the window begins, in milliseconds since 1970-01-01T00:00:00Z; absent for the beginning.
    pub from_unix_ms: Option<i64>,
    /// When it ends.
    pub to_unix_ms: i64,
    /// Tickets that came in it.
    pub tickets: u64,
    /// Seed of the draws.
    pub seed: u64,
    /// Policies.
    pub policy_versions: PolicyVersions,
    /// How much of the record the core does again.
    pub replayed: Replayed,
    /// What a reader must know before believing the numbers.
    pub warnings: Vec<String>,
    /// What really happened.
    pub recorded: Measures,
    /// The model under the policies as they were.
    pub baseline: Measures,
    /// The model under the policy to try.
    pub candidate: Measures,
    /// Candidate less baseline.
    pub difference: Differences,
}

/// Replays a history under the policies as they were and under another one; `progress` is told the
/// share done, 0 to 1.
///
/// # Errors
/// [`RunError`] when the core refuses the policy, or time does not pass.
pub fn backtest(
    history: &History,
    request: Request<'_>,
    progress: &dyn Fn(f64),
) -> Result<Report, RunError> {
    let part = |place: f64| move |share: f64| progress((place + share) * RUN_SHARE);
    let replayed = replay(history, &part(0.0))?;
    let plot = Plot { script: Script::Habits, policy: None, seed: request.seed };
    let baseline = tally(history, plot, &part(1.0))?;
    let plot = Plot { policy: Some(request.policy), ..plot };
    let candidate = tally(history, plot, &part(2.0))?;
    let mut recorded = history.recorded.clone();
    recorded.finish(history.end);
    let tallies = [&recorded, &baseline, &candidate];
    let longest = tallies.map(|tally| longest_wait_secs(tally, history.end));
    let frame = Frame {
        end: history.end,
        horizon_secs: longest.into_iter().fold(0.0, f64::max),
        attributes: &history.settings().segment_attributes,
        segments: request.segments,
    };
    let [recorded, measured, tried] = tallies.map(|tally| measure(tally, &frame));
    Ok(Report {
        workspace: request.workspace.to_owned(),
        from_unix_ms: history.from.map(|from| from.0),
        to_unix_ms: history.end.0,
        tickets: recorded.tickets,
        seed: request.seed,
        policy_versions: PolicyVersions {
            recorded: history.policy_versions.clone(),
            candidate_base: history.policy().map_or(0, |policy| policy.version),
            changed: request.changed.to_vec(),
        },
        replayed,
        warnings: warnings(replayed, &recorded, &measured),
        recorded,
        baseline: measured,
        candidate: tried,
        difference: differences(&baseline, &candidate, history.end),
    })
}

/// Runs a plot and tallies what becomes of tickets and agents.
pub(super) fn tally(
    history: &History,
    plot: Plot<'_>,
    progress: &dyn Fn(f64),
) -> Result<Tally, RunError> {
    let from = history.from.unwrap_or(UnixMillis(0));
    let mut tally = Tally::new(&history.start, from);
    let mut watch = |at, events: &[Event], state: &_| tally.note(at, events, state);
    run(history, plot, &mut watch, progress)?;
    tally.finish(history.end);
    Ok(tally)
}

/// Counts how many of the recorded offers the core makes again.
pub(super) fn replay(history: &History, progress: &dyn Fn(f64)) -> Result<Replayed, RunError> {
    let tickets = &history.chronicle.tickets;
    let window = |at: UnixMillis| history.from.is_none_or(|from| at >= from) && at < history.end;
    let offers = tickets.values().flat_map(|past| &past.offers);
    let offers = offers.filter(|made| window(made.made_at)).count() as u64;
    let mut same = 0;
    let mut watch = |at: UnixMillis, events: &[Event], _: &_| {
        for event in events {
            let Event::OfferMade { offer, agent, .. } = event else { continue };
            let made = tickets.get(&offer.ticket).and_then(|past| past.offer(offer.epoch));
            let again = made.is_some_and(|made| made.agent == *agent && made.made_at == at);
            same += u64::from(again);
        }
    };
    let plot = Plot { script: Script::Recorded, policy: None, seed: 0 };
    run(history, plot, &mut watch, progress)?;
    Ok(Replayed { offers, same })
}

fn warnings(replayed: Replayed, recorded: &Measures, baseline: &Measures) -> Vec<String> {
    let mut warnings = Vec::new();
    let Replayed { offers, same } = replayed;
    if same < offers {
        warnings.push(format!(
            "Of {offers} recorded offers, this version of the router makes {same} again when everything \
             else happens as recorded: the record was made by another version, or with a server \
             that stopped or woke late."
        ));
    }
    if recorded.tickets < TICKETS_MIN {
        warnings.push(format!("Only {} tickets came: this is an anecdote.", recorded.tickets));
        return warnings;
    }
    let (was, is) = (&recorded.wait_seconds, &baseline.wait_seconds);
    for (what, was, is) in [
        ("mean wait", was.mean, is.mean),
        ("median wait", was.p50, is.p50),
        ("95th percentile of waits", was.p95, is.p95),
    ] {
        warnings.extend(doubt(what, was, is, WAIT_ERROR_SECS, " s"));
    }
    let offers = (recorded.offers_mean, baseline.offers_mean);
    warnings.extend(doubt("number of offers for each ticket", offers.0, offers.1, 0.0, ""));
    warnings
}

/// Says that the model misses what was recorded, when it does.
fn doubt(what: &str, was: Option<f64>, is: Option<f64>, least: f64, unit: &str) -> Option<String> {
    let (was, is) = match (was, is) {
        (Some(was), Some(is)) => (was, is),
        (None, None) => return None,
        (was, is) => {
            let there = |value: Option<f64>| value.map_or("not reached".to_owned(), shown);
            return Some(missed(what, &there(was), &there(is), unit));
        }
    };
    let off = (is - was).abs();
    let misses = off > least && off > MODEL_ERROR_MAX * was.max(is);
    misses.then(|| missed(what, &shown(was), &shown(is), unit))
}

fn shown(value: f64) -> String {
    format!("{value:.1}")
}

fn missed(what: &str, was: &str, is: &str, unit: &str) -> String {
    format!(
        "The model misses the {what} by more than 20 %: {was}{unit} were recorded, the same policies on \
         the model give {is}{unit}. Trust differences between the runs less than usual."
    )
}
