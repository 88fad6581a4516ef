//! One stream of tickets: waiting, blocking, giving up, and how long service takes.

use super::{
    agent, assert_holds, class, simulated,
    theory::{Queue, birth_and_death, pollaczek},
    utilisation,
};

/// Simulates agents alike for one class of tickets, and holds every measure to the exact ones.
#[track_caller]
fn assert_queue(seconds: u32, (agents, rate): (u32, f64), keys: (&str, &str), exact: &Queue) {
    let tickets = class("any", rate, "'x'", keys.1);
    let team = agent("team", agents, 1.0, "'x'", "");
    let report = simulated(seconds, &format!("{}\n{tickets}{team}", keys.0));
    let found = &report.overall;
    assert_eq!(*found, report.by_class[0].1);
    let probability = found.wait_probability;
    if exact.wait_probability > 0.0 {
        assert_holds("wait", found.wait_mean_seconds, exact.wait_mean);
        assert_holds("queue", found.queue_mean, exact.queue_mean);
        assert_holds("wait probability", probability, exact.wait_probability);
    } else {
        assert!(probability.unwrap().mean == 0.0 && found.wait_mean_seconds.unwrap().mean == 0.0);
    }
    assert_holds("block", found.block_probability, exact.block);
    assert_holds("abandon", found.abandon_probability, exact.abandon);
    let name = if agents == 1 { "team" } else { "team.1" };
    assert_holds("utilisation", utilisation(&report, name), exact.utilisation);
}

#[test]
fn tickets_wait_as_erlang_c_says() {
    for (seconds, agents, rate) in [(10_000, 1, 0.7), (1_800, 5, 4.0), (800, 10, 8.0)] {
        assert_queue(seconds, (agents, rate), ("", ""), &birth_and_death(agents, rate, None, 0.0));
    }
}

#[test]
fn a_full_system_lets_in_as_erlang_b_says() {
    for (agents, rate, limit) in
        [(2, 1.0, 2), (5, 10.0, 5), (1, 1.0, 1), (5, 4.0, 10), (5, 6.0, 10)]
    {
        let key = format!("system_limit = {limit}");
        let exact = birth_and_death(agents, rate, Some(limit), 0.0);
        assert_queue(700, (agents, rate), (&key, ""), &exact);
    }
}

#[test]
fn tickets_give_up_as_erlang_a_says() {
    let patience = "patience_mean_seconds = 2.0";
    for rate in [8.0, 12.0] {
        let exact = birth_and_death(10, rate, None, 0.5);
        assert_queue(350, (10, rate), ("", patience), &exact);
        let limit = birth_and_death(10, rate, Some(14), 0.5);
        assert_queue(350, (10, rate), ("system_limit = 14", patience), &limit);
    }
}

#[test]
fn an_agent_of_some_capacity_is_as_many_agents() {
    let exact = birth_and_death(5, 4.0, None, 0.0);
    let tickets = class("any", 4.0, "'x'", "");
    let report = simulated(1_500, &(tickets + &agent("one", 1, 1.0, "'x'", "capacity = 5")));
    assert_holds("wait", report.overall.wait_mean_seconds, exact.wait_mean);
    assert_holds("utilisation", utilisation(&report, "one"), exact.utilisation);
}

#[test]
fn fast_and_slow_rates_are_the_same_queue_in_other_seconds() {
    for scale in [200.0, 0.001] {
        let exact = birth_and_death(5, 4.0, None, 0.0);
        let tickets = class("any", 4.0 * scale, "'x'", "");
        let team = agent("team", 5, scale, "'x'", "");
        let text = format!("horizon_seconds = {}\n{tickets}{team}", 1_500.0 / scale);
        let options = super::Options { seed: 3, runs: super::RUNS, level: 0.999, threads: 1 };
        let report = super::report(&text, options);
        assert_holds("wait", report.overall.wait_mean_seconds, exact.wait_mean / scale);
        assert_holds("queue", report.overall.queue_mean, exact.queue_mean);
    }
}

#[test]
fn one_agent_waits_as_pollaczek_says_whatever_the_law() {
    for (law, variation) in [
        ("'deterministic'", 0.0),
        ("'uniform'\nservice_variation = 0.4", 0.4),
        ("'gamma'\nservice_variation = 0.5", 0.5),
        ("'lognormal'\nservice_variation = 0.8", 0.8),
    ] {
        let keys = format!("work = 2.0\nservice_distribution = {law}");
        let text = class("any", 0.6, "'x'", &keys) + &agent("ana", 1, 2.0, "'x'", "");
        let report = simulated(4_500, &text);
        assert_holds(law, report.overall.wait_mean_seconds, pollaczek(0.6, 1.0, variation));
        assert_holds("utilisation", utilisation(&report, "ana"), 0.6);
    }
}

#[test]
fn wrap_up_and_thinking_take_an_agents_time() {
    // Service of mean 1 and a fixed quarter: both are busy time, only the first is seen by the ticket.
    let variation = 1.0 / 1.25;
    let text = class("any", 0.5, "'x'", "") + &agent("ana", 1, 1.0, "'x'", "");
    let report = simulated(4_500, &format!("{text}[policy]\nwrap_up_seconds = 0.25"));
    assert_holds("wait", report.overall.wait_mean_seconds, pollaczek(0.5, 1.25, variation));
    assert_holds("utilisation", utilisation(&report, "ana"), 0.625);
    // Thinking takes a quarter on average, and the ticket waits meanwhile.
    let variation = (1.0_f64 + 0.25 * 0.25).sqrt() / 1.25;
    let thinks = agent("ana", 1, 1.0, "'x'", "answer_mean_seconds = 0.25");
    let report = simulated(4_500, &(class("any", 0.5, "'x'", "") + &thinks));
    let exact = 0.25 + pollaczek(0.5, 1.25, variation);
    assert_holds("wait", report.overall.wait_mean_seconds, exact);
    assert_holds("wait probability", report.overall.wait_probability, 1.0);
}
