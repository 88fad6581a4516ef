//! SIGTERM while everybody works: calls under way are answered, the program ends well and in time.

use std::{collections::BTreeMap, time::Duration};

use tokio::{net::TcpStream, time::sleep};

use crate::{
    check::{self, Rule, Violation},
    history::{Call, History, Outcome},
    progress::Progress,
    random::Dice,
    run::{Ended, Run},
    server::Program,
    world::Size,
};

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that serves.
    pub program: Program,
    /// How often to stop it.
    pub cycles: usize,
    /// Latest moment of a stop after the server serves, in milliseconds.
    pub window_ms: u64,
    /// How much happens.
    pub size: Size,
    /// Repeats the choices.
    pub seed: u64,
}

/// Longest time from SIGTERM to the end: the grace of 20 seconds, and some more.
const STOP_WITHIN: Duration = Duration::from_secs(25);

/// Runs until all cycles are done or something was not held.
///
/// # Errors
/// The run itself fails: a server that does not come up is one.
pub async fn run(plan: &Plan, progress: &mut Progress) -> Result<Ended, anyhow::Error> {
    let mut run = Run::begin(&plan.program, plan.size, plan.seed, false).await?;
    let violations = cycles(plan, &mut run, progress).await;
    match violations {
        Ok(violations) => Ok(run.end(violations)),
        Err(error) => Err(error.context(format!("folder {}", run.keep().display()))),
    }
}

async fn cycles(
    plan: &Plan,
    run: &mut Run,
    progress: &mut Progress,
) -> Result<Vec<Violation>, anyhow::Error> {
    let mut dice = Dice::new(plan.seed, "stop");
    let mut served_from = Vec::new();
    for _ in 0..plan.cycles {
        let server = run.start().await?;
        let violations = run.check(&server, false).await;
        if !violations.is_empty() {
            return Ok(violations);
        }
        let untold = check::done_untold(&run.book.history(), run.stored());
        run.figures.add("done_and_not_told", untold);
        // Somebody who connects and says nothing must not keep it from stopping.
        let silent = TcpStream::connect(&server.address).await?;
        served_from.push(run.book.now_us());
        run.book.set_address(Some(server.address.clone()));
        sleep(dice.millis(0, plan.window_ms)).await;
        // Whoever calls after this waits for the next server.
        run.book.set_address(None);
        let (exit, took) = server.stop().await?;
        run.figures.time("stop_ms", took);
        run.figures.add("stops", 1);
        drop(silent);
        run.hush().await?;
        progress.step(&format!("{} ms", took.as_millis()));
        if exit.and_then(|exit| exit.code()) != Some(0) || took > STOP_WITHIN {
            let what = format!("SIGTERM: ended with {exit:?} after {} ms", took.as_millis());
            return Ok(vec![Violation::new(Rule::StopsWell, what)]);
        }
    }
    let server = run.start().await?;
    let mut violations = run.check(&server, false).await;
    violations.extend(in_vain(&run.book.history(), &served_from));
    run.figures.add("unanswered_by_stops", unanswered(&run.book.history()));
    if !violations.is_empty() {
        return Ok(violations);
    }
    run.book.set_address(Some(server.address.clone()));
    run.finish(server).await
}

fn unanswered(history: &History) -> usize {
    history.calls.iter().filter(|call| matches!(call.outcome, Outcome::Unknown { .. })).count()
}

/// Returns the keys that got no answer from one server twice: one retry must do.
fn in_vain(history: &History, served_from: &[u64]) -> Vec<Violation> {
    let mut tries: BTreeMap<(&str, usize), Vec<&Call>> = BTreeMap::new();
    for call in &history.calls {
        if matches!(call.outcome, Outcome::Unknown { .. }) {
            let server = served_from.partition_point(|from| *from <= call.start_us);
            tries.entry((&call.key, server)).or_default().push(call);
        }
    }
    let breach = |(_, calls): (_, Vec<&Call>)| {
        (calls.len() > 1)
            .then(|| Violation::new(Rule::StopsWell, "no answer at the second try").with(calls))
    };
    tries.into_iter().filter_map(breach).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Action;

    fn unanswered_at(start_us: u64) -> Call {
        Call {
            actor: "shop".to_owned(),
            key: "k1".to_owned(),
            action: Action::Cancel { ticket: "t1".to_owned() },
            server: "one".to_owned(),
            start_us,
            end_us: start_us + 1,
            outcome: Outcome::Unknown { why: "reset".to_owned() },
        }
    }

    #[test]
    fn one_try_in_vain_for_each_server_is_no_breach() {
        let history = |starts: [u64; 2]| History {
            calls: starts.map(unanswered_at).into(),
            ..History::default()
        };
        let served_from = [10, 20];
        assert_eq!(in_vain(&history([15, 25]), &served_from), []);
        assert_eq!(in_vain(&history([15, 16]), &served_from).len(), 1);
    }
}
