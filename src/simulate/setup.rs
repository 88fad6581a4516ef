//! From a scenario to what the core is told: its policy, agents and tickets, and how its clock runs.
//!
//! The core counts whole milliseconds. Here one of them stands for a tick, so short that rounding
//! changes no result: a hundred thousandth of the mean of the fastest law of the scenario, where the
//! horizon allows it. All the core's own times are therefore given in ticks too.

use std::collections::BTreeMap;

use super::scenario::{Class, Order, PolicyKeys, Scenario, Team};
use crate::domain::{
    agent::AgentProfile,
    id::{AgentId, InvalidId, SkillId},
    policy::{
        Batching, OccupancyCeiling, Policy, RelaxationStep, Requirement, Route, RouteMatch,
        TicketOrder,
    },
    reading::{IntentProbability, Reading, ReadingSource, Sentiment, Urgency},
    ticket::Intake,
};

/// Ticks in the mean of the fastest law, at least, where the horizon allows it.
const TICKS_PER_MEAN: f64 = 1e5;
/// Most ticks of a run: the core multiplies idle time by 1000 and by capacity in 64 bits.
const TICKS_MAX: f64 = 1e18 / 1e3 / 1e2;
/// The greatest weight of the core's ageing order, and the greatest weight times age, which the core
/// keeps in 63 bits. Ratios matter, not sizes.
const WEIGHT_MAX: f64 = 1e9;
const WEIGHTED_AGE_MAX: f64 = 9e18;
/// Most tickets in the system where the scenario sets no limit: whatever serves its tickets stays far
/// below, and on every core of a machine so many still have room.
const OPEN_TICKETS_MAX: u32 = 200_000;
/// Skill of people who triage; nobody has it, and nothing goes there.
const TRIAGE: &str = "triage";
/// The one channel.
const CHANNEL: &str = "simulated";

/// How scenario time and the core's clock go together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clock {
    ticks_per_second: f64,
}

impl Clock {
    /// Chooses the tick: a power of ten.
    fn of(scenario: &Scenario) -> Self {
        let least_work = scenario.classes.iter().map(|class| class.work).fold(1e9, f64::min);
        let of_teams = scenario.teams.iter().flat_map(|team| team_rates(team, least_work));
        let rates = scenario.classes.iter().flat_map(class_rates).chain(of_teams);
        let rates = rates.chain(policy_rates(&scenario.policy));
        let fastest = rates.fold(1e-9, f64::max);
        let wanted = (TICKS_PER_MEAN * fastest).log10().ceil();
        let mut longest = longest_seconds(scenario);
        if scenario.has_days() {
            longest = longest.max(scenario.period_seconds);
        }
        let possible = (TICKS_MAX / longest).log10().floor();
        Self { ticks_per_second: 10_f64.powf(wanted.min(possible)) }
    }

    /// Returns the ticks nearest to a time, at least 0.
    #[expect(clippy::cast_possible_truncation, reason = "a cast keeps to the range of the type")]
    pub(super) fn ticks(self, seconds: f64) -> i64 {
        (seconds * self.ticks_per_second).round().max(0.0) as i64
    }

    /// Returns the seconds that ticks stand for.
    pub(super) fn seconds(self, ticks: f64) -> f64 {
        ticks / self.ticks_per_second
    }

    /// Returns a time as the core's seconds, which are a thousand ticks; the longest for what is longer.
    fn core_secs(self, seconds: f64) -> u32 {
        u32::try_from(self.ticks(seconds / 1000.0)).unwrap_or(u32::MAX)
    }
}

/// Who arrived before the end of the horizon is followed for one more, at most.
pub(super) fn longest_seconds(scenario: &Scenario) -> f64 {
    scenario.end_seconds() + scenario.horizon_seconds
}

fn class_rates(class: &Class) -> impl Iterator<Item = f64> {
    let factors =
        class.pattern.as_ref().map_or(1.0, |p| p.factors.iter().copied().fold(0.0, f64::max));
    let patience = class.patience_mean_seconds.map(|mean| 1.0 / mean);
    [class.arrival_rate * factors].into_iter().chain(patience)
}

fn team_rates(team: &Team, least_work: f64) -> impl Iterator<Item = f64> {
    let answer = (team.answer_mean_seconds > 0.0).then(|| 1.0 / team.answer_mean_seconds);
    [team.service_rate / least_work].into_iter().chain(answer)
}

/// Most times of a policy are in the core's seconds, a thousand ticks: those need finer ticks.
fn policy_rates(keys: &PolicyKeys) -> impl Iterator<Item = f64> {
    let in_secs = [
        keys.wrap_up_seconds,
        keys.relax_after_seconds.unwrap_or(0.0),
        keys.occupancy_burst_seconds,
    ];
    let in_secs =
        in_secs.into_iter().filter(|seconds| *seconds > 0.0).map(|seconds| 10.0 / seconds);
    in_secs.chain((keys.gather_seconds > 0.0).then(|| 1.0 / keys.gather_seconds))
}

/// What every run of a scenario starts from.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) clock: Clock,
    pub(super) skills: Vec<SkillId>,
    pub(super) policy: Policy,
    /// One for each agent; the identifier is the place in the list.
    pub(super) agents: Vec<AgentProfile>,
    /// The team of each agent.
    pub(super) team_of: Vec<usize>,
    /// What the core is told of a ticket, for each class.
    pub(super) intakes: Vec<Intake>,
    /// What is read in every ticket.
    pub(super) reading: Reading,
}

impl Setup {
    /// Prepares a scenario.
    ///
    /// # Errors
    /// Never for what [`Scenario::parse`] gives: the identifiers made here are short.
    pub(super) fn new(scenario: &Scenario) -> Result<Self, InvalidId> {
        let clock = Clock::of(scenario);
        // By number, so that names may have any characters.
        let mut skills: BTreeMap<&str, SkillId> = BTreeMap::new();
        let named = scenario.classes.iter().flat_map(|class| &class.skills);
        for name in named.chain(scenario.teams.iter().flat_map(|team| &team.skills)) {
            let id = SkillId::new(format!("s{}", skills.len()))?;
            skills.entry(name).or_insert(id);
        }
        let triage = SkillId::new(TRIAGE)?;
        let known = |names: &[String]| -> Vec<SkillId> {
            names.iter().filter_map(|name| skills.get(name.as_str()).cloned()).collect()
        };
        let (mut agents, mut team_of) = (Vec::new(), Vec::new());
        for (place, team) in scenario.teams.iter().enumerate() {
            for name in team.names() {
                let id = agent_id(agents.len())?;
                agents.push(profile(id, name, team, known(&team.skills), speed(scenario, team)));
                team_of.push(place);
            }
        }
        let levels = scenario.levels();
        let intakes =
            scenario.classes.iter().map(|class| intake(class, known(&class.skills), &levels));
        Ok(Self {
            clock,
            policy: policy(scenario, clock, &triage, &levels),
            agents,
            team_of,
            intakes: intakes.collect(),
            reading: reading(),
            skills: skills.into_values().chain([triage]).collect(),
        })
    }
}

/// Of one width, so that the core's ties go by the order of the file.
fn agent_id(place: usize) -> Result<AgentId, InvalidId> {
    AgentId::new(format!("{place:05}"))
}

/// Returns the place of an agent by what [`agent_id`] made.
pub(super) fn agent_place(id: &AgentId) -> Option<usize> {
    id.as_str().parse().ok()
}

/// Only compared: how many different rates are lower.
fn speed(scenario: &Scenario, team: &Team) -> u32 {
    let mut slower: Vec<u64> = scenario
        .teams
        .iter()
        .filter(|other| other.service_rate < team.service_rate)
        .map(|other| other.service_rate.to_bits())
        .collect();
    slower.sort_unstable();
    slower.dedup();
    u32::try_from(slower.len() + 1).unwrap_or(u32::MAX)
}

fn profile(
    agent: AgentId,
    display_name: String,
    team: &Team,
    skills: Vec<SkillId>,
    speed: u32,
) -> AgentProfile {
    AgentProfile {
        agent,
        display_name,
        skills: skills.into_iter().map(|skill| (skill, 1)).collect(),
        capacity_units: team.capacity,
        channel_units: BTreeMap::new(),
        speed,
        shifts: None,
    }
}

fn intake(class: &Class, skills: Vec<SkillId>, levels: &[f64]) -> Intake {
    let level = levels.partition_point(|level| *level < class.priority);
    let requirements = skills.into_iter().map(|skill| Requirement::new(skill, 1, false));
    Intake {
        channel: CHANNEL.to_owned(),
        language: None,
        attributes: BTreeMap::new(),
        requirements: requirements.collect(),
        priority: u8::try_from(level).unwrap_or(u8::MAX),
        target_secs: None,
        preferred_agent: None,
        is_long: false,
    }
}

fn policy(scenario: &Scenario, clock: Clock, triage: &SkillId, levels: &[f64]) -> Policy {
    let keys = &scenario.policy;
    let relaxation = keys.relax_after_seconds.map(|seconds| RelaxationStep {
        after_secs: clock.core_secs(seconds),
        proficiency_reduction: 0,
        drop_requirements: true,
    });
    let everything = Route::new("all", RouteMatch::default(), Vec::new());
    Policy {
        version: 1,
        routes: vec![everything],
        triage_skill: triage.clone(),
        intent_confidence_min: 0.0,
        language_skills: BTreeMap::new(),
        urgency_head_start_secs: [0; 4],
        priority_point_secs: 0,
        relaxation: relaxation.into_iter().collect(),
        triage_after_secs: None,
        // Simulated agents answer, stay and come back when the scenario says, never because of a timer.
        offer_timeout_secs: u32::MAX,
        decline_backoff_secs: 0,
        presence_lease_secs: u32::MAX,
        wrap_up_secs: clock.core_secs(keys.wrap_up_seconds),
        assignment_return_secs: u32::MAX,
        reading_wait_ms: u32::MAX,
        ticket_order: ticket_order(scenario, clock, levels),
        agent_choice: scenario.agent_choice,
        batching: Batching {
            gather_ms: u32::try_from(clock.ticks(keys.gather_seconds)).unwrap_or(u32::MAX),
        },
        occupancy_ceiling: keys.occupancy_ceiling_percent.map(|percent| OccupancyCeiling {
            percent,
            burst_secs: clock.core_secs(keys.occupancy_burst_seconds),
        }),
        spread_hard_tickets: false,
        ramp_up_secs: 0,
        preferred_agent_wait_secs: 0,
        interruptible_channels: Vec::new(),
        hours: None,
        open_tickets_max: Some(scenario.system_limit.unwrap_or(OPEN_TICKETS_MAX)),
    }
}

fn ticket_order(scenario: &Scenario, clock: Clock, levels: &[f64]) -> TicketOrder {
    match scenario.ticket_order {
        // Nobody has a head start: first come, first served.
        Order::Fifo => TicketOrder::HeadStart,
        Order::Strict => TicketOrder::Strict,
        Order::Ageing => {
            let most = levels.last().copied().filter(|most| *most > 0.0).unwrap_or(1.0);
            let ages = longest_seconds(scenario) * clock.ticks_per_second;
            let top = WEIGHT_MAX.min(WEIGHTED_AGE_MAX / ages);
            let weights = levels.iter().map(|level| weight(level / most * top));
            TicketOrder::Ageing { weights_milli: weights.collect() }
        }
    }
}

/// Returns a weight as the core takes it; whatever is above 0 weighs something.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 0 to 1e9")]
fn weight(weight: f64) -> u32 {
    if weight <= 0.0 { 0 } else { weight.round().clamp(1.0, WEIGHT_MAX) as u32 }
}

/// The model is sure: what happens before routing is not what is simulated.
fn reading() -> Reading {
    let intent = IntentProbability { intent: "any".into(), probability: 1.0, present: true };
    Reading {
        source: ReadingSource::Model,
        model: "simulated".into(),
        intents: vec![intent],
        out_of_scope: false,
        out_of_scope_score: 0.0,
        sentiment: Sentiment::Neutral,
        sentiment_score: 0.0,
        sentiment_probabilities: [0.0, 1.0, 0.0],
        urgency: Urgency::Normal,
        urgency_score: 0.0,
        urgency_confidence: 1.0,
        language: None,
        language_supported: true,
        truncated: false,
        evidence: Vec::new(),
    }
}
