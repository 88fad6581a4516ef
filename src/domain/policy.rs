//! Policies: how a workspace turns what was read into what routing looks for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{id::SkillId, reading::Urgency};

/// A skill a ticket needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Requirement {
    /// The skill.
    pub skill: SkillId,
    /// Lowest proficiency that will do, 1 to 5.
    pub proficiency_min: u8,
    /// Whether relaxation may never lower or drop it.
    pub permanent: bool,
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
}

/// Why a ticket goes to people who triage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// What routing looks for, and how far ahead the ticket was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the policy that made it.
    pub policy_version: u32,
    /// Name of the route that matched; `triage` when people decide, `transfer` after a transfer.
    pub route: String,
    /// Why people who triage get it.
    pub triage: Option<TriageReason>,
    /// Skills needed before any relaxation.
    pub requirements: Vec<Requirement>,
    /// Head start in the queue.
    pub head_start_secs: u32,
    /// Target for the time to assignment.
    pub target_secs: Option<u32>,
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
