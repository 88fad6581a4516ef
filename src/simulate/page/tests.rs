//! The page holds what it should, and nothing that it must not.

use super::*;
use crate::simulate::{Options, simulate};

fn html(scenario: &str) -> String {
    let scenario = Scenario::parse(scenario).unwrap();
    let options = Options { seed: 1, runs: 2, level: 0.95, threads: 1 };
    let results = simulate(&scenario, options, &|_| {}).unwrap();
    page(&Report::new(&scenario, &results, 1.0), &scenario, "<b>.toml")
}

#[test]
fn a_page_shows_tickets_agents_and_the_day_and_loads_nothing() {
    let html = html(
        "horizon_seconds = 2000\nperiod_seconds = 100\n[[class]]\nname = '<i>'\narrival_rate = 1\n\
         arrival_factors = [0, 2]\nskills = []\n[[agent]]\nname = '\"ana\"'\nskills = []\n\
         service_rate = 2\n",
    );
    for wanted in ["Mean wait of each class", "How busy each agent is", "When tickets wait"] {
        assert!(html.contains(wanted), "{wanted}");
    }
    assert!(html.contains("&lt;i&gt;") && html.contains("&quot;ana&quot;"));
    for never in ["<i>", "<b>", "<script", "http", "url(", "NaN", "inf"] {
        assert!(!html.contains(never), "{never}");
    }
}

#[test]
fn what_has_no_value_is_a_dash_and_warnings_are_shown() {
    let html = html(
        "horizon_seconds = 10\n[[class]]\nname = 'none'\narrival_rate = 0\nskills = ['x']\n\
         [[agent]]\nname = 'ana'\nskills = []\nservice_rate = 2\n",
    );
    assert!(html.contains("<td class=\"n\">–</td>") && html.contains("panel warn"), "{html}");
    assert!(!html.contains("NaN"));
}
