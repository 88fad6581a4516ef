//! The same each time, whatever the machine; and scenarios at the edge of sense.

use super::{
    Measure, Options, agent, assert_holds, class, of_class, report, simulated,
    theory::birth_and_death, utilisation,
};
use crate::simulate::{RunError, Scenario, simulate};

const OPTIONS: Options = Options { seed: 7, runs: 5, level: 0.95, threads: 1 };

fn mixed() -> String {
    let more = "patience_mean_seconds = 3.0\npatience_distribution = 'lognormal'";
    "horizon_seconds = 300\nagent_choice = 'random'\n".to_owned()
        + &class("a", 2.0, "'x'", more)
        + &class("b", 1.0, "'y'", "arrival_factors = [1, 3]\nservice_distribution = 'gamma'")
        + &agent("ana", 2, 1.0, "'x', 'y'", "decline_probability = 0.1")
        + &agent("ben", 2, 0.7, "'x'", "shifts = [[10, 100], [150, 250]]")
        + "[policy]\nwrap_up_seconds = 0.1\n"
}

#[test]
fn the_same_seed_gives_the_same_json_on_any_number_of_threads() {
    let json = |options| serde_json::to_string(&report(&mixed(), options)).unwrap();
    let first = json(OPTIONS);
    for threads in [1, 2, 3, 8] {
        assert_eq!(first, json(Options { threads, ..OPTIONS }), "{threads}");
    }
    assert_ne!(first, json(Options { seed: 8, ..OPTIONS }));
}

#[test]
fn a_class_that_is_added_changes_nothing_for_others() {
    let base = "horizon_seconds = 500\n".to_owned()
        + &class("a", 2.0, "'x'", "")
        + &agent("ana", 3, 1.0, "'x'", "");
    let more = base.clone() + &class("b", 3.0, "'y'", "") + &agent("ben", 4, 1.0, "'y'", "");
    let (alone, beside) = (report(&base, OPTIONS), report(&more, OPTIONS));
    assert_eq!(of_class(&alone, "a"), of_class(&beside, "a"));
    assert_eq!(utilisation(&alone, "ana.2"), utilisation(&beside, "ana.2"));
}

#[test]
fn progress_adds_up_to_the_runs() {
    let scenario = Scenario::parse(&mixed()).unwrap();
    let done = std::sync::Mutex::new(0.0);
    simulate(&scenario, OPTIONS, &|share| *done.lock().unwrap() += share).unwrap();
    let done = *done.lock().unwrap();
    assert!((done - 5.0_f64).abs() < 1e-9, "{done}");
}

#[test]
fn without_arrivals_there_is_nothing_to_say_but_that_nobody_is_busy() {
    let text = class("none", 0.0, "'x'", "") + &agent("ana", 1, 1.0, "'x'", "");
    let report = simulated(100, &text);
    let found = of_class(&report, "none");
    assert_eq!((found.wait_mean_seconds, found.wait_probability), (None, None));
    assert_eq!((found.abandon_probability, found.block_probability), (None, None));
    assert_eq!(report.offers_mean, None);
    let nothing = Some(Measure { mean: 0.0, low: Some(0.0), high: Some(0.0) });
    assert_eq!((found.queue_mean, utilisation(&report, "ana")), (nothing, nothing));
    assert!(!serde_json::to_string(&report).unwrap().contains("NaN"));
}

#[test]
fn whom_nobody_can_serve_waits_until_patience_ends() {
    let patient = class("patient", 0.5, "'y'", "patience_mean_seconds = 4.0");
    let endless = class("endless", 0.1, "'z'", "");
    let text = patient + &endless + &agent("ana", 1, 1.0, "'x'", "");
    let report = simulated(1_500, &text);
    let found = of_class(&report, "patient");
    assert_holds("abandon", found.abandon_probability, 1.0);
    assert_holds("wait probability", found.wait_probability, 1.0);
    assert_holds("wait", found.wait_mean_seconds, 4.0);
    assert_holds("queue", found.queue_mean, 2.0);
    assert_eq!(of_class(&report, "endless").wait_mean_seconds, None);
    assert!(report.warnings.iter().any(|warning| warning.contains("endless")), "{report:?}");
}

#[test]
fn who_has_hardly_any_patience_finds_an_agent_or_goes() {
    let exact = birth_and_death(2, 1.0, Some(2), 0.0);
    let text = class("hasty", 1.0, "'x'", "patience_mean_seconds = 1e-6")
        + &agent("team", 2, 1.0, "'x'", "");
    let report = simulated(1_500, &text);
    assert_holds("abandon", report.overall.abandon_probability, exact.block);
    assert_holds("wait probability", report.overall.wait_probability, exact.block);
}

#[test]
fn off_shift_nobody_is_asked() {
    let keys = "arrival_distribution = 'deterministic'\nservice_distribution = 'deterministic'\n\
                patience_mean_seconds = 0.25\npatience_distribution = 'deterministic'\nwork = 0.1";
    let text = "period_seconds = 100\n".to_owned()
        + &class("any", 0.999, "'x'", keys)
        + &agent("ana", 1, 1.0, "'x'", "shifts = [[20, 45], [50, 75]]");
    let report = simulated(5_000, &text);
    let gone = report.overall.abandon_probability.unwrap().mean;
    assert!((gone - 0.5).abs() < 0.01, "{gone}");
    let busy = utilisation(&report, "ana").unwrap().mean;
    assert!((busy - 0.0999).abs() < 0.002, "{busy}");
}

#[test]
fn a_ticket_that_waited_long_may_go_to_anybody() {
    let text = class("rare", 0.2, "'y'", "") + &agent("ana", 1, 1.0, "'x'", "");
    let report = simulated(1_500, &format!("{text}[policy]\nrelax_after_seconds = 3.0\n"));
    // All come three seconds late into a queue of one agent.
    let exact = 3.0 + birth_and_death(1, 0.2, None, 0.0).wait_mean;
    assert_holds("wait", report.overall.wait_mean_seconds, exact);
}

#[test]
fn more_than_can_be_served_ends_with_a_warning_or_says_so() {
    let text = class("any", 2.0, "'x'", "") + &agent("ana", 1, 1.0, "'x'", "");
    let report = simulated(500, &text);
    assert!(report.warnings[0].contains("more come than"), "{:?}", report.warnings);
    let flood = class("any", 300_000.0, "'x'", "") + &agent("ana", 1, 1.0, "'x'", "");
    let scenario = Scenario::parse(&format!("horizon_seconds = 1\n{flood}")).unwrap();
    let error = simulate(&scenario, Options { runs: 1, ..OPTIONS }, &|_| {}).unwrap_err();
    assert!(matches!(error, RunError::Full { .. }), "{error}");
    assert!(error.to_string().contains("system_limit"), "{error}");
}

#[test]
fn every_example_of_the_documentation_runs() {
    for text in [
        include_str!("../../../docs/scenarios/erlang-c.toml"),
        include_str!("../../../docs/scenarios/impatient.toml"),
        include_str!("../../../docs/scenarios/morning-rush.toml"),
        include_str!("../../../docs/scenarios/priorities.toml"),
        include_str!("../../../docs/scenarios/skills.toml"),
        include_str!("../../../docs/scenarios/unequal-agents.toml"),
    ] {
        let mut scenario = Scenario::parse(text).unwrap();
        scenario.horizon_seconds /= 200.0;
        let results = simulate(&scenario, Options { runs: 1, ..OPTIONS }, &|_| {}).unwrap();
        let report = super::Report::new(&scenario, &results, 1.0);
        assert!(report.warnings.is_empty() && report.events > 100, "{text}\n{report:?}");
    }
}
