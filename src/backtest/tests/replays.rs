//! What the model does with the same policy: nothing else than what happened.

use super::day::*;
use crate::{
    backtest::{
        history::History,
        report::{replay, tally},
        world::{Plot, Script, run},
    },
    domain::{event::Event, policy::AgentChoice, time::UnixMillis},
};

fn every_offer_is_made_again(
    seed: u64,
    habits: Habits,
    change: impl Fn(&mut crate::domain::policy::Policy),
) {
    let mut policy = policy();
    change(&mut policy);
    let day = Day::new(seed, policy, habits).live(120);
    let replayed = replay(&day.history(), &|_| {}).unwrap();
    assert!(replayed.offers > 100, "seed {seed}: {replayed:?}");
    assert_eq!(replayed.same, replayed.offers, "seed {seed}, {habits:?}");
    // From the middle on, too: the state of that moment and what agents held go on as they did.
    let middle = UnixMillis(BEGIN.0 + 200_000);
    let replayed = replay(&day.window(Some(middle), None), &|_| {}).unwrap();
    assert!(replayed.offers > 10, "seed {seed}: {replayed:?}");
    assert_eq!(replayed.same, replayed.offers, "seed {seed}, {habits:?}, from the middle");
}

#[test]
fn with_everything_as_recorded_every_offer_is_made_again_to_the_same_agent_at_the_same_time() {
    for seed in 0..60 {
        every_offer_is_made_again(seed, Habits::PLAIN, |_| {});
        every_offer_is_made_again(seed, Habits::ALL, |_| {});
    }
}

#[test]
fn so_it_is_whoever_is_asked_first() {
    for seed in 100..130 {
        every_offer_is_made_again(seed, Habits::ALL, |policy| {
            policy.agent_choice = AgentChoice::Random;
            policy.spread_hard_tickets = true;
            policy.ramp_up_secs = 20;
        });
    }
}

/// Returns every event of a run.
fn events(history: &History, plot: Plot<'_>) -> Vec<(UnixMillis, Event)> {
    let mut all = Vec::new();
    let mut watch = |at, events: &[Event], _: &_| {
        all.extend(events.iter().map(|event| (at, event.clone())));
    };
    run(history, plot, &mut watch, &|_| {}).unwrap();
    all
}

#[test]
fn under_the_same_policy_both_runs_are_the_same_event_for_event() {
    for seed in 0..20 {
        let day = Day::new(seed, policy(), Habits::ALL).live(120);
        let history = day.history();
        let baseline = Plot { script: Script::Habits, policy: None, seed: 5 };
        let same = history.policy().unwrap().clone();
        let candidate = Plot { policy: Some(&same), ..baseline };
        assert!(events(&history, baseline) == events(&history, candidate), "seed {seed}");
    }
}

#[test]
fn a_run_is_the_same_whenever_it_is_done_and_other_luck_is_another_run() {
    let history = Day::new(3, policy(), Habits::ALL).live(200).history();
    let plot = Plot { script: Script::Habits, policy: None, seed: 5 };
    let once = tally(&history, plot, &|_| {}).unwrap();
    assert_eq!(once, tally(&history, plot, &|_| {}).unwrap());
    assert_ne!(once, tally(&history, Plot { seed: 6, ..plot }, &|_| {}).unwrap());
}

#[test]
fn the_model_comes_near_to_what_was_recorded() {
    let (mut recorded, mut modelled, mut tickets) = (0.0, 0.0, 0);
    for seed in 0..10 {
        let history = Day::new(seed, policy(), Habits::ALL).live(300).history();
        let plot = Plot { script: Script::Habits, policy: None, seed: 1 };
        let run = tally(&history, plot, &|_| {}).unwrap();
        for (was, is) in history.recorded.tickets.iter().zip(&run.tickets) {
            recorded += was.wait(history.end).ms as f64;
            modelled += is.wait(history.end).ms as f64;
            tickets += 1;
        }
    }
    assert_eq!(tickets, 3_000);
    let off = (modelled / recorded - 1.0).abs();
    assert!(off < 0.15, "recorded {} ms, modelled {} ms", recorded / 3e3, modelled / 3e3);
}

#[test]
fn what_lies_outside_the_window_is_neither_replayed_nor_measured() {
    let day = Day::new(8, policy(), Habits::ALL).live(200);
    let (from, to) = (UnixMillis(BEGIN.0 + 100_000), UnixMillis(BEGIN.0 + 500_000));
    let history = day.window(Some(from), Some(to));
    let inside = |at: UnixMillis| at >= from && at < to;
    let came = day
        .journal
        .iter()
        .filter(|entry| inside(entry.at) && matches!(entry.event, Event::TicketReceived { .. }));
    assert_eq!(history.ticket_count(), came.count());
    let plot = Plot { script: Script::Habits, policy: None, seed: 5 };
    let run = tally(&history, plot, &|_| {}).unwrap();
    assert_eq!(run.tickets.len(), history.ticket_count());
    let seen = run.tickets.iter().chain(&history.recorded.tickets);
    for ticket in seen {
        assert!(inside(ticket.received_at) && ticket.closed_at.is_none_or(inside), "{ticket:?}");
    }
    assert!(day.window(Some(from), Some(from)).ticket_count() == 0);
}
