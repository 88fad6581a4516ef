//! Policies: how a workspace turns what was read into what routing looks for.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{calendar::Calendar, condition::Condition, id::SkillId, reading::Urgency};

/// A skill at a proficiency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SkillLevel {
    /// The skill.
    pub skill: SkillId,
    /// Lowest proficiency that will do, 1 to 5.
    pub proficiency_min: u8,
}

/// A skill a ticket needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Requirement {
    /// The skill.
    pub skill: SkillId,
    /// Lowest proficiency that will do, 1 to 5.
    pub proficiency_min: u8,
    /// Whether relaxation may never lower or drop it.
    pub permanent: bool,
    /// Skills of which any one will do instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<SkillLevel>,
    /// Age of the ticket at which it is needed no more; never with `permanent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_secs: Option<u32>,
}

impl Requirement {
    /// Returns a requirement without alternatives and without an end.
    #[must_use]
    pub fn new(skill: SkillId, proficiency_min: u8, permanent: bool) -> Self {
        Self {
            skill,
            proficiency_min,
            permanent,
            alternatives: Vec::new(),
            expires_after_secs: None,
        }
    }

    /// Returns whether somebody with these proficiencies meets it.
    #[must_use]
    pub fn met_by(&self, skills: &BTreeMap<SkillId, u8>) -> bool {
        let has = |skill, min: u8| skills.get(skill).is_some_and(|level| *level >= min.max(1));
        has(&self.skill, self.proficiency_min)
            || self.alternatives.iter().any(|other| has(&other.skill, other.proficiency_min))
    }

    /// Returns every skill it names.
    pub fn skills(&self) -> impl Iterator<Item = &SkillId> {
        std::iter::once(&self.skill).chain(self.alternatives.iter().map(|level| &level.skill))
    }
}

/// Which tickets a route takes. An empty list matches everything; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteMatch {
    /// Intent labels. One stands for all below it, too: `billing` for `billing/refund`.
    pub intents: Vec<String>,
    /// ISO 639-1 codes.
    pub languages: Vec<String>,
    /// Channel names.
    pub channels: Vec<String>,
    /// Urgencies.
    pub urgencies: Vec<Urgency>,
    /// Attribute values the ticket must have.
    pub attributes: BTreeMap<String, String>,
}

impl RouteMatch {
    /// Returns whether an intent is among those taken, or below one of them.
    #[must_use]
    pub fn takes_intent(&self, intent: &str) -> bool {
        self.intents.is_empty() || self.intents.iter().any(|taken| covers(taken, intent))
    }
}

/// Returns whether an intent is `name` or lies below it: names are paths, parted by `/`.
#[must_use]
pub fn covers(name: &str, intent: &str) -> bool {
    intent.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Tickets that match go to people with these skills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Name shown in decision records.
    pub name: String,
    /// Which tickets it takes.
    pub matches: RouteMatch,
    /// Skills needed.
    pub requirements: Vec<Requirement>,
    /// Extra head start in the queue.
    pub head_start_secs: u32,
    /// Target for the time to assignment.
    pub target_secs: Option<u32>,
    /// What must hold beside `matches`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// Skills that whoever takes it should have, beside those needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferred: Vec<SkillLevel>,
    /// Whether its tickets are offered outside business hours too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub around_the_clock: bool,
    /// Most tickets that wait by this route; the next ones take the route `overflow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_max: Option<u32>,
    /// Name of the route taken in place of this one when it is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow: Option<String>,
}

impl Route {
    /// Returns a route that takes `matches` to people with `requirements`.
    #[must_use]
    pub fn new(name: &str, matches: RouteMatch, requirements: Vec<Requirement>) -> Self {
        Self {
            name: name.to_owned(),
            matches,
            requirements,
            head_start_secs: 0,
            target_secs: None,
            when: None,
            preferred: Vec::new(),
            around_the_clock: false,
            waiting_max: None,
            overflow: None,
        }
    }
}

/// How requirements that are not permanent loosen at an age of the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelaxationStep {
    /// Age of the ticket.
    pub after_secs: u32,
    /// By how much the lowest proficiency falls in total, never below 1.
    pub proficiency_reduction: u8,
    /// Whether requirements that are not permanent are dropped altogether.
    pub drop_requirements: bool,
}

/// In which order waiting tickets are offered to an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketOrder {
    /// By time received, less the head start: every wait is bounded.
    #[default]
    HeadStart,
    /// By the platform's priority, then by time received; low priorities may starve.
    Strict,
    /// By age times the weight of the platform's priority, largest first.
    Ageing {
        /// Weight by priority, in thousandths; the last one serves all higher priorities.
        weights_milli: Vec<u32>,
    },
}

/// Who is asked first of those eligible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentChoice {
    /// Longest cumulative idleness, kept within the range of those present at each sign-in: unequal
    /// agents reach equal occupancy.
    #[default]
    LongestCumulativeIdle,
    /// Longest time since a ticket left the agent, or since signing in.
    LongestIdle,
    /// Greatest declared speed.
    Fastest,
    /// Anyone, by a number drawn from ticket and agent.
    Random,
    /// Fewest tickets taken.
    FewestTickets,
    /// Greatest proficiency beyond what is needed.
    MostProficient,
}

/// A bound on the share of time an agent is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OccupancyCeiling {
    /// Highest long-run occupancy, 50 to 99.
    pub percent: u8,
    /// Busy time an agent may run up beyond it before resting.
    pub burst_secs: u32,
}

/// How waiting tickets and free agents are matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batching {
    /// How long tickets and agents gather before they are matched together; 0 for never.
    pub gather_ms: u32,
}

/// How a workspace routes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// From 1, one more with each change.
    pub version: u32,
    /// Routes, tried in order.
    pub routes: Vec<Route>,
    /// Skill of the people who triage.
    pub triage_skill: SkillId,
    /// Least probable intent that is routed without triage, 0 to 1.
    pub intent_confidence_min: f64,
    /// Skill needed by language (ISO 639-1), beside the route's.
    pub language_skills: BTreeMap<String, SkillId>,
    /// Head starts in the order of [`Urgency::ALL`].
    pub urgency_head_start_secs: [u32; 4],
    /// Head start of each priority point.
    pub priority_point_secs: u32,
    /// Relaxation steps, by ascending age.
    pub relaxation: Vec<RelaxationStep>,
    /// Age at which an unassigned ticket goes to triage; `None` for never.
    pub triage_after_secs: Option<u32>,
    /// How long an agent has to answer an offer.
    pub offer_timeout_secs: u32,
    /// How long a ticket keeps away from an agent who declined it or let it expire.
    pub decline_backoff_secs: u32,
    /// How long presence lasts without a stream.
    pub presence_lease_secs: u32,
    /// Time kept free after each completed ticket.
    pub wrap_up_secs: u32,
    /// How long an assignment waits for an agent who went offline.
    pub assignment_return_secs: u32,
    /// How long a ticket waits for the model before rules read it.
    pub reading_wait_ms: u32,
    /// In which order waiting tickets are offered.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ticket_order: TicketOrder,
    /// Who is asked first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub agent_choice: AgentChoice,
    /// How tickets and agents are matched together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub batching: Batching,
    /// A bound on occupancy.
    #[serde(default, skip_serializing_if = "is_default")]
    pub occupancy_ceiling: Option<OccupancyCeiling>,
    /// Whether hard tickets go first to whoever of the next few has had the smallest share of them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub spread_hard_tickets: bool,
    /// Over how long the capacity of an agent who signs in grows from one ticket to all of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ramp_up_secs: u32,
    /// How long a ticket waits for the agent it would like, while that agent is there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub preferred_agent_wait_secs: u32,
    /// Channels whose tickets may be laid aside for others: they take no capacity from those.
    #[serde(default, skip_serializing_if = "is_default")]
    pub interruptible_channels: Vec<String>,
    /// When tickets are offered; `None` for always. Ages count in this time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hours: Option<Calendar>,
    /// Most tickets that are neither completed nor cancelled; `None` for the server's own limit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub open_tickets_max: Option<u32>,
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Policy {
    /// Returns a policy without routes: everything goes to triage, tickets in the order they came,
    /// to the agent idle longest. Offers lapse after 30 s, presence without a stream too.
    #[must_use]
    pub fn new(triage_skill: SkillId) -> Self {
        Self {
            version: 0,
            routes: Vec::new(),
            triage_skill,
            intent_confidence_min: 0.5,
            language_skills: BTreeMap::new(),
            urgency_head_start_secs: [0; 4],
            priority_point_secs: 0,
            relaxation: Vec::new(),
            triage_after_secs: None,
            offer_timeout_secs: 30,
            decline_backoff_secs: 60,
            presence_lease_secs: 30,
            wrap_up_secs: 0,
            assignment_return_secs: 600,
            reading_wait_ms: 5000,
            ticket_order: TicketOrder::default(),
            agent_choice: AgentChoice::default(),
            batching: Batching::default(),
            occupancy_ceiling: None,
            spread_hard_tickets: false,
            ramp_up_secs: 0,
            preferred_agent_wait_secs: 0,
            interruptible_channels: Vec::new(),
            hours: None,
            open_tickets_max: None,
        }
    }
}

/// Why a ticket goes to people who triage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriageReason {
    /// The best intent is less probable than the policy's minimum.
    LowConfidence,
    /// No intent of the model fits.
    OutOfScope,
    /// The model cannot read the language and the policy names no skill for it.
    LanguageUnsupported,
    /// No route matches.
    NoRoute,
    /// Nobody suitable took it within the policy's time.
    WaitedTooLong,
    /// The rules found no intent, and the model has not read it.
    Unread,
}

/// Name of the plan when people decide.
pub const TRIAGE: &str = "triage";
/// Name of the plan when only the language is known.
pub const LANGUAGE: &str = "language";
/// Name of the plan after a transfer to an agent or to skills.
pub const TRANSFER: &str = "transfer";
/// Name of the plan of a ticket that a supervisor gave to an agent.
pub const BY_HAND: &str = "by_hand";
/// Names of plans that no route made; no route may have one.
pub const RESERVED_ROUTES: [&str; 4] = [TRIAGE, LANGUAGE, TRANSFER, BY_HAND];

/// What routing looks for, and how far ahead the ticket was moved.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the policy that made it.
    pub policy_version: u32,
    /// Name of the route that matched, or one of [`RESERVED_ROUTES`].
    pub route: String,
    /// Why people who triage get it.
    pub triage: Option<TriageReason>,
    /// Skills needed before any relaxation.
    pub requirements: Arc<[Requirement]>,
    /// Head start in the queue.
    pub head_start_secs: u32,
    /// Target for the time to assignment.
    pub target_secs: Option<u32>,
    /// Skills that whoever takes it should have.
    #[serde(default = "none_preferred", skip_serializing_if = "<[_]>::is_empty")]
    pub preferred: Arc<[SkillLevel]>,
    /// Whether it is offered outside business hours too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub around_the_clock: bool,
    /// The full route in place of which this one was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflowed: Option<String>,
    /// Whether its content is hard on people: angry, urgent or long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hard: bool,
}

fn none_preferred() -> Arc<[SkillLevel]> {
    Arc::default()
}

impl Plan {
    /// Returns whether the ticket was moved ahead of its arrival order.
    #[must_use]
    pub fn fast_tracked(&self) -> bool {
        self.head_start_secs > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_the_names_below_it() {
        let intents = vec!["billing".to_owned(), "orders/late".to_owned()];
        let route = RouteMatch { intents, ..RouteMatch::default() };
        for taken in ["billing", "billing/refund", "billing/refund/late", "orders/late"] {
            assert!(route.takes_intent(taken), "{taken}");
        }
        for other in ["billing_address", "orders", "orders/lately", "refund/billing", ""] {
            assert!(!route.takes_intent(other), "{other}");
        }
        assert!(RouteMatch::default().takes_intent("anything"));
    }
}
