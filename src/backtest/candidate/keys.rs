//! Every key of a policy file, and what may stand there. Ranges beyond these are the API's business.

use super::kinds::{
    Absent::{Filled, LeftOut, Needed},
    Key, Kind,
};

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, absent: LeftOut }
}

const fn needed(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, absent: Needed }
}

/// A key that takes a value, in JSON, where the file has none.
const fn filled(name: &'static str, kind: Kind, value: &'static str) -> Key {
    Key { name, kind, absent: Filled(value) }
}

const NUMBER: Kind = Kind::Whole(0, u32::MAX as u64);
const PROFICIENCY: Kind = Kind::Whole(1, 5);
const MAYBE: Kind = Kind::Optional(&NUMBER);
const TEXTS: Kind = Kind::List(&Kind::Text);
const INTERVALS: Kind = Kind::List(&Kind::Table(DATE_INTERVAL));

/// The keys of a policy.
pub(super) const POLICY: &[Key] = &[
    key("version", NUMBER),
    key("routes", Kind::List(&Kind::Table(ROUTE))),
    key("triage_skill", Kind::Skill),
    key("intent_confidence_min", Kind::Share),
    key("language_skills", Kind::Map(&Kind::Skill)),
    key("urgency_head_start_secs", Kind::Numbers(4)),
    key("priority_point_secs", NUMBER),
    key("relaxation", Kind::List(&Kind::Table(RELAXATION))),
    key("triage_after_secs", MAYBE),
    key("offer_timeout_secs", NUMBER),
    key("decline_backoff_secs", NUMBER),
    key("presence_lease_secs", NUMBER),
    key("wrap_up_secs", NUMBER),
    key("assignment_return_secs", NUMBER),
    key("reading_wait_ms", NUMBER),
    key("ticket_order", Kind::WordOr(&["head_start", "strict"], ORDER)),
    key(
        "agent_choice",
        Kind::WordOr(
            &[
                "longest_cumulative_idle",
                "longest_idle",
                "fastest",
                "random",
                "fewest_tickets",
                "most_proficient",
            ],
            &[],
        ),
    ),
    key("batching", Kind::Table(&[needed("gather_ms", NUMBER)])),
    key("occupancy_ceiling", Kind::Optional(&Kind::Table(CEILING))),
    key("spread_hard_tickets", Kind::Flag),
    key("ramp_up_secs", NUMBER),
    key("preferred_agent_wait_secs", NUMBER),
    key("interruptible_channels", TEXTS),
    key("hours", Kind::Optional(&Kind::Table(CALENDAR))),
    key("open_tickets_max", MAYBE),
];

const ROUTE: &[Key] = &[
    needed("name", Kind::Text),
    filled(
        "matches",
        Kind::Table(MATCH),
        r#"{"intents":[],"languages":[],"channels":[],"urgencies":[],"attributes":{}}"#,
    ),
    filled("requirements", Kind::List(&Kind::Table(REQUIREMENT)), "[]"),
    filled("head_start_secs", NUMBER, "0"),
    key("target_secs", MAYBE),
    key("when", Kind::Optional(&Kind::Text)),
    key("preferred", Kind::List(&Kind::Table(LEVEL))),
    key("around_the_clock", Kind::Flag),
    key("waiting_max", MAYBE),
    key("overflow", Kind::Optional(&Kind::Text)),
];

const URGENCY: Kind = Kind::WordOr(&["low", "normal", "high", "critical"], &[]);

const MATCH: &[Key] = &[
    filled("intents", TEXTS, "[]"),
    filled("languages", TEXTS, "[]"),
    filled("channels", TEXTS, "[]"),
    filled("urgencies", Kind::List(&URGENCY), "[]"),
    filled("attributes", Kind::Map(&Kind::Text), "{}"),
];

const REQUIREMENT: &[Key] = &[
    needed("skill", Kind::Skill),
    filled("proficiency_min", PROFICIENCY, "1"),
    filled("permanent", Kind::Flag, "false"),
    key("alternatives", Kind::List(&Kind::Table(LEVEL))),
    key("expires_after_secs", MAYBE),
];

const LEVEL: &[Key] = &[needed("skill", Kind::Skill), filled("proficiency_min", PROFICIENCY, "1")];

const RELAXATION: &[Key] = &[
    needed("after_secs", NUMBER),
    filled("proficiency_reduction", Kind::Whole(0, 4), "0"),
    filled("drop_requirements", Kind::Flag, "false"),
];

const ORDER: &[Key] =
    &[needed("ageing", Kind::Table(&[needed("weights_milli", Kind::List(&NUMBER))]))];

const CEILING: &[Key] =
    &[needed("percent", Kind::Whole(50, 99)), filled("burst_secs", NUMBER, "0")];

const CALENDAR: &[Key] = &[
    needed("time_zone", Kind::Text),
    key("weekly", Kind::List(&Kind::Table(WEEKLY_INTERVAL))),
    key("exceptions", Kind::Map(&INTERVALS)),
];

const WEEKLY_INTERVAL: &[Key] =
    &[needed("weekday", Kind::Text), needed("from", Kind::Text), needed("to", Kind::Text)];

const DATE_INTERVAL: &[Key] = &[needed("from", Kind::Text), needed("to", Kind::Text)];
