//! Who is asked: agents of unequal speed and skill, and those who decline.

use super::{
    Report, agent, assert_holds, class, of_class, simulated,
    theory::{Asked, Network, birth_and_death, unequal},
    utilisation,
};

const RATES: [f64; 3] = [1.0, 0.8, 0.5];
const NAMES: [&str; 3] = ["fast", "middle", "slow"];

fn unequal_agents(choice: &str) -> Report {
    let mut text = format!("agent_choice = '{choice}'\n") + &class("any", 1.6, "'x'", "");
    for (name, rate) in NAMES.iter().zip(RATES) {
        text.push_str(&agent(name, 1, rate, "'x'", ""));
    }
    simulated(3_000, &text)
}

#[test]
fn who_is_asked_first_is_busy_as_the_chains_say() {
    // Idle longest is anyone in the long run. The slowest cannot keep up, so has fewest tickets always.
    for (choice, asked) in [
        ("fastest", Asked::Fastest),
        ("random", Asked::Anyone),
        ("longest_idle", Asked::Anyone),
        ("fewest_tickets", Asked::Slowest),
    ] {
        let (busy, waits) = unequal(1.6, &RATES, asked);
        let report = unequal_agents(choice);
        for (name, busy) in NAMES.iter().zip(&busy) {
            assert_holds(&format!("{choice}, {name}"), utilisation(&report, name), *busy);
        }
        assert_holds(choice, report.overall.wait_probability, waits);
        assert_holds(choice, report.overall.wait_mean_seconds, waits / (2.3 - 1.6));
    }
}

#[test]
fn longest_cumulative_idleness_gives_unequal_agents_equal_occupancy() {
    let report = unequal_agents("longest_cumulative_idle");
    for name in NAMES {
        assert_holds(name, utilisation(&report, name), 1.6 / 2.3);
    }
}

#[test]
fn skills_share_work_as_the_product_form_says() {
    let classes = [("a", 0.4, "'p'", 0b001), ("b", 0.9, "'q'", 0b011), ("c", 0.7, "'r'", 0b110)];
    let agents = [("one", 1.0, "'p', 'q'"), ("two", 1.0, "'q', 'r'"), ("three", 0.8, "'r'")];
    let mut text = "agent_choice = 'longest_idle'\n".to_owned();
    for (name, rate, skills, _) in classes {
        text.push_str(&class(name, rate, skills, ""));
    }
    for (name, rate, skills) in agents {
        text.push_str(&agent(name, 1, rate, skills, ""));
    }
    let network = Network {
        classes: &classes.map(|(_, rate, _, mask)| (rate, mask)),
        agents: &agents.map(|(_, rate, _)| rate),
    };
    let exact = network.product_form();
    let report = simulated(4_000, &text);
    for (place, (name, rate, ..)) in classes.iter().enumerate() {
        let found = of_class(&report, name);
        assert_holds(name, found.queue_mean, exact.queue_mean[place]);
        assert_holds(name, found.wait_mean_seconds, exact.queue_mean[place] / rate);
        assert_holds(name, found.wait_probability, exact.wait_probability[place]);
    }
    for (place, (name, ..)) in agents.iter().enumerate() {
        assert_holds(name, utilisation(&report, name), exact.utilisation[place]);
    }
}

#[test]
fn declined_offers_are_made_again_at_once_and_no_time_is_lost() {
    for (decline, offers) in [(0.2, 1.25), (0.9, 10.0)] {
        let exact = birth_and_death(3, 2.4, None, 0.0);
        let key = format!("decline_probability = {decline}");
        let text = class("any", 2.4, "'x'", "") + &agent("team", 3, 1.0, "'x'", &key);
        let report = simulated(if decline < 0.5 { 2_000 } else { 1_000 }, &text);
        assert_holds("offers", report.offers_mean, offers);
        assert_holds("wait", report.overall.wait_mean_seconds, exact.wait_mean);
        assert_holds("wait probability", report.overall.wait_probability, exact.wait_probability);
    }
}
