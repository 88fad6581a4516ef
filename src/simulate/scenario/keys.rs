//! The keys of a scenario, what each allows, and what it is when absent.

use super::{
    Class, Order, Pattern, PolicyKeys, Scenario, ScenarioError, Team, check,
    reader::{Problems, Reader},
    tree,
};
use crate::{
    domain::{limits, policy::AgentChoice},
    simulate::random::Law,
};

/// Longest time, in seconds: thirty years.
const SECONDS_MAX: f64 = 1e9;
/// Least and greatest rate, per second.
const RATES: (f64, f64) = (1e-9, 1e6);
/// Greatest priority, and least with a minus.
const PRIORITY_MAX: f64 = 1e6;
/// Longest name of a class or an agent, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Greatest coefficient of variation of a law.
const VARIATION_MAX: f64 = 10.0;

const CHOICES: [(&str, AgentChoice); 5] = [
    ("longest_cumulative_idle", AgentChoice::LongestCumulativeIdle),
    ("longest_idle", AgentChoice::LongestIdle),
    ("fastest", AgentChoice::Fastest),
    ("random", AgentChoice::Random),
    ("fewest_tickets", AgentChoice::FewestTickets),
];
const ORDERS: [(&str, Order); 3] =
    [("fifo", Order::Fifo), ("priority", Order::Strict), ("ageing", Order::Ageing)];

/// A law by its name, before its variation is known.
#[derive(Clone, Copy)]
enum Kind {
    Exponential,
    Deterministic,
    Uniform,
    Lognormal,
    Gamma,
}

const LAWS: [(&str, Kind); 5] = [
    ("exponential", Kind::Exponential),
    ("deterministic", Kind::Deterministic),
    ("uniform", Kind::Uniform),
    ("lognormal", Kind::Lognormal),
    ("gamma", Kind::Gamma),
];

/// Returns the word for a choice.
pub(in crate::simulate) fn choice_name(choice: AgentChoice) -> &'static str {
    CHOICES.iter().find(|(_, value)| *value == choice).map_or("another", |(name, _)| name)
}

/// Reads a scenario.
pub(super) fn read(text: &str) -> Result<Scenario, ScenarioError> {
    let table = tree::parse(text).map_err(ScenarioError::Syntax)?;
    let problems = Problems::new(text);
    let mut top = Reader::new(&problems, &table);
    let scenario = scenario(&mut top);
    check::check(&scenario, &top);
    top.finish();
    let problems = problems.finish();
    if problems.is_empty() { Ok(scenario) } else { Err(ScenarioError::Problems(problems)) }
}

fn scenario(top: &mut Reader<'_>) -> Scenario {
    let horizon_seconds = top.number("horizon_seconds", None, 1e-3..=SECONDS_MAX);
    // A tenth is forgotten by default.
    let warmup = Some(horizon_seconds / 10.0);
    let period_seconds = top.number("period_seconds", Some(86_400.0), 1.0..=SECONDS_MAX);
    let warmup_seconds = top.number("warmup_seconds", warmup, 0.0..=SECONDS_MAX);
    let system_limit = top.has("system_limit").then(|| {
        let most = u32::try_from(limits::OPEN_TICKETS_MAX).unwrap_or(u32::MAX);
        top.count("system_limit", most, 1..=most)
    });
    let agent_choice = top.word("agent_choice", &CHOICES).unwrap_or_default();
    let ticket_order = top.word("ticket_order", &ORDERS).unwrap_or(Order::Fifo);
    let policy = top.table("policy").map(policy).unwrap_or_default();
    let mut classes = Vec::new();
    for mut reader in top.tables("class", "stream of tickets") {
        classes.push(class(&mut reader, period_seconds));
        reader.finish();
    }
    let mut teams = Vec::new();
    for mut reader in top.tables("agent", "agent") {
        teams.push(team(&mut reader, period_seconds));
        reader.finish();
    }
    Scenario {
        horizon_seconds,
        warmup_seconds,
        period_seconds,
        agent_choice,
        ticket_order,
        system_limit,
        policy,
        classes,
        teams,
    }
}

fn policy(mut reader: Reader<'_>) -> PolicyKeys {
    let seconds = 0.0..=SECONDS_MAX;
    let policy = PolicyKeys {
        wrap_up_seconds: reader.number("wrap_up_seconds", Some(0.0), seconds.clone()),
        gather_seconds: reader.number("gather_seconds", Some(0.0), seconds.clone()),
        relax_after_seconds: reader.optional("relax_after_seconds", seconds.clone()),
        occupancy_ceiling_percent: reader.has("occupancy_ceiling_percent").then(|| {
            let percent = reader.count("occupancy_ceiling_percent", 99, 50..=99);
            u8::try_from(percent).unwrap_or(99)
        }),
        occupancy_burst_seconds: reader.number("occupancy_burst_seconds", Some(0.0), seconds),
    };
    reader.finish();
    policy
}

fn class(reader: &mut Reader<'_>, period_seconds: f64) -> Class {
    let (rate_min, rate_max) = RATES;
    let factors = reader.numbers("arrival_factors", 0.0..=1e3);
    let pattern = (!factors.is_empty()).then(|| {
        if factors.iter().all(|factor| *factor <= 0.0) {
            reader.reject("arrival_factors", "must have a factor above 0");
        }
        Pattern { factors, period_seconds }
    });
    Class {
        name: reader.text("name", NAME_CHARS_MAX),
        arrival_rate: reader.number("arrival_rate", None, 0.0..=rate_max),
        arrival_law: law(reader, "arrival_distribution", "arrival_variation"),
        pattern,
        skills: reader.texts("skills", limits::REQUIREMENTS_MAX),
        priority: reader.number("priority", Some(1.0), -PRIORITY_MAX..=PRIORITY_MAX),
        work: reader.number("work", Some(1.0), rate_min..=rate_max),
        service_law: law(reader, "service_distribution", "service_variation"),
        patience_mean_seconds: reader.optional("patience_mean_seconds", 1e-9..=SECONDS_MAX),
        patience_law: law(reader, "patience_distribution", "patience_variation"),
    }
}

fn law(reader: &mut Reader<'_>, name: &'static str, variation: &'static str) -> Law {
    let kind = reader.word(name, &LAWS).unwrap_or(Kind::Exponential);
    let widest = 1.0 / 3_f64.sqrt();
    let mut vary = |default: f64, most: f64| reader.number(variation, Some(default), 1e-3..=most);
    match kind {
        Kind::Exponential | Kind::Deterministic => {
            if reader.has(variation) {
                let allowed = format!("belongs to a {name} of uniform, lognormal or gamma");
                reader.reject(variation, &allowed);
            }
            if matches!(kind, Kind::Exponential) { Law::Exponential } else { Law::Deterministic }
        }
        // One digit less than 1/√3, so that what a message says is allowed.
        Kind::Uniform => Law::Uniform { variation: vary(widest, 0.5774).min(widest) },
        Kind::Lognormal => Law::Lognormal { variation: vary(1.0, VARIATION_MAX) },
        Kind::Gamma => Law::Gamma { variation: vary(1.0, VARIATION_MAX) },
    }
}

fn team(reader: &mut Reader<'_>, period_seconds: f64) -> Team {
    let (rate_min, rate_max) = RATES;
    let most = u32::try_from(limits::AGENTS_MAX).unwrap_or(u32::MAX);
    let decline_probability = reader.number("decline_probability", Some(0.0), 0.0..=1.0);
    if decline_probability >= 1.0 {
        let allowed = "must be below 1: who declines everything is asked again and again";
        reader.reject("decline_probability", allowed);
    }
    Team {
        name: reader.text("name", NAME_CHARS_MAX),
        count: reader.count("count", 1, 1..=most),
        skills: reader.texts("skills", limits::AGENT_SKILLS_MAX),
        service_rate: reader.number("service_rate", None, rate_min..=rate_max),
        capacity: reader.count("capacity", 1, 1..=limits::CAPACITY_UNITS_MAX),
        decline_probability,
        answer_mean_seconds: reader.number("answer_mean_seconds", Some(0.0), 0.0..=SECONDS_MAX),
        shifts: reader.spans("shifts", period_seconds),
    }
}
