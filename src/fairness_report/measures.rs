//! What is measured of a ticket, each of it defined once.

use super::case::Case;
use crate::domain::{ticket::Resolution, time::UnixMillis};

/// What of a ticket is so or not; `None` while it is not known.
type Known = fn(&Case, UnixMillis) -> Option<bool>;
/// A number that a ticket has; `None` while it is not known.
type Number = fn(&Case) -> Option<f64>;

/// A share of tickets. Each is watched by the always-valid evidence, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Its key.
    pub(super) name: &'static str,
    /// Its name for people.
    pub(super) title: &'static str,
    /// What it is a share of, and when it is known.
    pub(super) means: &'static str,
    pub(super) known: Known,
}

/// A mean over tickets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Average {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) means: &'static str,
    pub(super) number: Number,
}

/// The shares, in the order they are shown.
pub(super) const SHARES: [Share; 10] = [
    Share {
        name: "fast_tracked",
        title: "Moved ahead",
        means: "given a head start over tickets that came earlier, of those that were read",
        known: |case, _| case.fast_tracked,
    },
    Share {
        name: "triaged",
        title: "Sent to triage",
        means: "given to people who sort what the model is unsure of, of those that were read",
        known: |case, _| case.triaged,
    },
    Share {
        name: "sla_breach",
        title: "Target missed",
        means: "not accepted by an agent within the target, of those with a target that is decided",
        known: Case::target_missed,
    },
    Share {
        name: "slow_start",
        title: "Nobody within 5 minutes",
        means: "not accepted by an agent within five minutes, of those of which that is decided",
        known: Case::slow,
    },
    Share {
        name: "abandoned",
        title: "Cancelled while waiting",
        means: "cancelled before an agent accepted, of those accepted or cancelled",
        known: |case, _| case.abandoned(),
    },
    Share {
        name: "relaxed",
        title: "Needs loosened",
        means: "first accepted after needed skills had been loosened, of those accepted",
        known: |case, _| case.fit.map(|fit| fit.relaxation_step > 0),
    },
    Share {
        name: "reassigned",
        title: "Changed hands",
        means: "taken on by a second agent, of those accepted",
        known: |case, _| case.reassigned(),
    },
    Share {
        name: "first_contact_resolution",
        title: "Resolved at first contact",
        means: "resolved by the first person, of those completed",
        known: |case, _| case.ended(Resolution::FirstContact),
    },
    Share {
        name: "escalated",
        title: "Escalated",
        means: "handed to a team outside the router, of those completed",
        known: |case, _| case.ended(Resolution::Escalated),
    },
    Share {
        name: "wrong_intent",
        title: "Misunderstood",
        means: "reported as come by a wrong intent, of those completed",
        known: |case, _| case.ended(Resolution::WrongIntent),
    },
];

/// The means, in the order they are shown.
pub(super) const AVERAGES: [Average; 4] = [
    Average {
        name: "relaxation_depth",
        title: "Relaxation steps",
        means: "steps by which needs had been loosened at the first acceptance",
        number: |case| case.fit.map(|fit| f64::from(fit.relaxation_step)),
    },
    Average {
        name: "offers_to_accept",
        title: "Offers until accepted",
        means: "agents asked until one first accepted",
        number: |case| case.assigned_at.map(|_| f64::from(case.offers)),
    },
    Average {
        name: "agent_proficiency",
        title: "Agent's proficiency",
        means: "level (1 to 5) of the first agent in the skills that were needed",
        number: |case| case.fit.and_then(|fit| fit.proficiency),
    },
    Average {
        name: "satisfaction",
        title: "Satisfaction",
        means: "as reported by the customer, 1 to 5",
        number: |case| case.outcome.as_ref()?.satisfaction.map(f64::from),
    },
];

/// Returns the name for people of a share.
pub(super) fn title(name: &str) -> &str {
    SHARES.iter().find(|share| share.name == name).map_or(name, |share| share.title)
}
