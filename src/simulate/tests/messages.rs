//! What is said about a scenario that cannot be used.

use crate::simulate::{Scenario, ScenarioError};

const GOOD: &str = "horizon_seconds = 100\n[[class]]\nname = 'a'\narrival_rate = 1\nskills = []\n\
                    [[agent]]\nname = 'ana'\nskills = []\nservice_rate = 2\n";

/// Returns what is said after a text was replaced in a good scenario.
fn said(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    Scenario::parse(&GOOD.replace(from, to)).unwrap_err().to_string()
}

#[test]
fn defaults_are_those_documented() {
    let scenario = Scenario::parse(GOOD).unwrap();
    assert!((scenario.warmup_seconds - 10.0).abs() < 1e-9);
    assert_eq!(scenario.system_limit, None);
    assert_eq!((scenario.teams[0].count, scenario.teams[0].capacity), (1, 1));
}

#[test]
fn a_value_that_is_not_allowed_is_named_with_its_line_and_what_is() {
    for (from, to, wanted) in [
        ("= 100", "= 0", "line 1: horizon_seconds = 0: must be a number from 0.001 to 1000000000"),
        ("= 100", "= nan", "line 1: horizon_seconds = NaN: must be a number"),
        ("arrival_rate = 1", "arrival_rate = -1", "line 4: class[0].arrival_rate = -1: must be"),
        ("rate = 2", "rate = 'x'", "line 9: agent[0].service_rate = \"x\": must be a number"),
        ("rate = 2", "rate = 0", "line 9: agent[0].service_rate = 0: must be a number from 0.0000"),
        (
            "rate = 2",
            "rate = 2\ncapacity = 1.5",
            "line 10: agent[0].capacity = 1.5: must be a whole",
        ),
        ("rate = 2", "rate = 2\ncount = 0", "line 10: agent[0].count = 0: must be a whole number"),
        ("rate = 2", "rate = 2\ndecline_probability = 1", "must be below 1"),
        ("rate = 2", "rate = 2\nshifts = [[5, 5]]", "line 10: agent[0].shifts = [[5, 5]]: must be"),
        ("skills = []\n[", "skills = ['x', 'x']\n[", "line 5: class[0].skills"),
        ("arrival_rate = 1", "arrival_rate = 1\narrival_factors = [0]", "a factor above 0"),
        (
            "= 100\n",
            "= 100\nsystem_limit = 0\n",
            "line 2: system_limit = 0: must be a whole number",
        ),
    ] {
        let found = said(from, to);
        assert!(found.contains(wanted), "{found}");
    }
}

#[test]
fn a_key_that_is_unknown_or_missing_is_named_with_the_nearest() {
    let found = said("arrival_rate", "arival_rate");
    assert!(
        found.contains("line 4: class[0].arival_rate is no key, did you mean arrival_rate?"),
        "{found}"
    );
    assert!(
        found.contains("class[0].arrival_rate is missing: it must be a number from 0"),
        "{found}"
    );
    let found = said("= 100\n", "= 100\nagent_choise = 'random'\n");
    assert!(
        found.contains("line 2: agent_choise is no key, did you mean agent_choice?"),
        "{found}"
    );
    let found = said("= 100\n", "= 100\nagent_choice = 'longest_idel'\n");
    assert!(
        found.contains("did you mean longest_idle?") && found.contains("fewest_tickets"),
        "{found}"
    );
    let error = Scenario::parse("").unwrap_err().to_string();
    for key in ["horizon_seconds is missing", "[[class]]", "[[agent]]"] {
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let twice = format!("{GOOD}[[agent]]\nname = 'ana'\nskills = []\nservice_rate = 1\n");
    let error = Scenario::parse(&twice).unwrap_err().to_string();
    assert!(error.contains("two of the name \"ana\""), "{error}");
    let endless = GOOD.replace("= 100\n", "= 1e8\n").replace("rate = 1\n", "rate = 1000\n");
    let error = Scenario::parse(&endless).unwrap_err().to_string();
    assert!(error.contains("would be 110000000000 tickets a run"), "{error}");
    let lonely = "= 100\nticket_order = 'ageing'\n";
    assert!(Scenario::parse(&GOOD.replace("= 100\n", lonely)).is_ok());
    let ageing =
        GOOD.replace("= 100\n", lonely).replace("skills = []\n[", "skills = []\npriority = -1\n[");
    let error = Scenario::parse(&ageing).unwrap_err().to_string();
    assert!(error.contains("ageing needs 0 or more"), "{error}");
    let uniform = "arrival_rate = 1\nservice_distribution = 'uniform'\nservice_variation = 2";
    assert!(said("arrival_rate = 1", uniform).contains("service_variation = 2"));
    let variation = "arrival_rate = 1\nservice_variation = 2";
    assert!(said("arrival_rate = 1", variation).contains("belongs to"));
}

#[test]
fn what_is_no_toml_is_shown_with_its_place() {
    let error = Scenario::parse("horizon_seconds = = 1").unwrap_err();
    assert!(matches!(error, ScenarioError::Syntax(_)));
    assert!(error.to_string().contains("line 1, column 19"), "{error}");
}
