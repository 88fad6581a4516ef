//! Which ticket goes first.

use super::{
    Report, agent, assert_holds, class, of_class, simulated,
    theory::{accumulating, cobham, fifo_wait},
};

/// Simulates classes with priorities for agents of rate 1.
fn ordered(seconds: u32, order: &str, agents: u32, classes: &[(f64, f64)]) -> Report {
    let mut text = format!("ticket_order = '{order}'\n");
    for (place, (rate, priority)) in classes.iter().enumerate() {
        let key = format!("priority = {priority}");
        text.push_str(&class(&format!("c{place}"), *rate, "'x'", &key));
    }
    simulated(seconds, &(text + &agent("team", agents, 1.0, "'x'", "")))
}

#[track_caller]
fn assert_waits(report: &Report, waits: &[f64]) {
    for (place, wait) in waits.iter().enumerate() {
        let found = of_class(report, &format!("c{place}")).wait_mean_seconds;
        assert_holds(&format!("wait of class {place}"), found, *wait);
    }
}

#[test]
fn strict_priority_waits_as_cobham_says() {
    let exact = cobham(2, &[0.6, 0.9]);
    assert_waits(&ordered(4_000, "priority", 2, &[(0.6, 3.0), (0.9, -1.5)]), &exact);
    let exact = cobham(5, &[1.0, 1.0, 2.0]);
    assert_waits(&ordered(1_500, "priority", 5, &[(1.0, 7.0), (1.0, 2.5), (2.0, 0.0)]), &exact);
}

#[test]
fn priority_that_grows_with_age_waits_as_kleinrock_says() {
    let exact = accumulating(1, &[0.4, 0.3], &[1.0, 4.0]);
    assert_waits(&ordered(10_000, "ageing", 1, &[(0.4, 1.0), (0.3, 4.0)]), &exact);
    let exact = accumulating(5, &[2.0, 1.0, 1.0], &[0.125, 0.25, 0.5]);
    let classes = [(2.0, 0.125), (1.0, 0.25), (1.0, 0.5)];
    assert_waits(&ordered(1_500, "ageing", 5, &classes), &exact);
}

#[test]
fn first_come_first_served_knows_no_priority() {
    let exact = fifo_wait(3, 2.4);
    let report = ordered(2_000, "fifo", 3, &[(1.2, 1.0), (1.2, 100.0)]);
    assert_waits(&report, &[exact, exact]);
    assert_holds("all", report.overall.wait_mean_seconds, exact);
}
