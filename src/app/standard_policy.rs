//! The policy a new workspace starts with: routes for the intents of the shipped model.

use crate::domain::{
    id::SkillId,
    policy::{Policy, RelaxationStep, Requirement, Route, RouteMatch},
};

/// Proficiency routes ask for at first; relaxation lowers it.
const PROFICIENCY_MIN: u8 = 2;
/// Skill of the people who triage, and who are asked for when a customer asks for a person.
const TRIAGE: &str = "triage";

/// A route: its skill, what the skill means, its target in seconds, and its intents.
type Line = (&'static str, &'static str, u32, &'static [&'static str]);

const ROUTES: [Line; 13] = [
    (
        "orders",
        "Placing, changing and cancelling orders",
        1800,
        &["place_order", "change_order", "cancel_order", "check_cancellation_fee"],
    ),
    (
        "delivery",
        "Delivery options, times and addresses",
        1800,
        &[
            "track_order",
            "delivery_options",
            "delivery_period",
            "set_up_shipping_address",
            "change_shipping_address",
        ],
    ),
    (
        "billing",
        "Invoices and payments",
        900,
        &["payment_issue", "check_payment_methods", "check_invoice", "get_invoice"],
    ),
    ("refunds", "Refunds", 1800, &["get_refund", "track_refund", "check_refund_policy"]),
    (
        "accounts",
        "Accounts, sign-in and newsletters",
        900,
        &[
            "create_account",
            "edit_account",
            "switch_account",
            "delete_account",
            "recover_password",
            "registration_problems",
            "newsletter_subscription",
        ],
    ),
    ("safety", "Dangers to life, health and safety", 120, &["report_emergency"]),
    ("security", "Fraud and personal data", 600, &["report_fraud", "report_privacy_issue"]),
    (
        "technical",
        "Outages, faults and repairs",
        900,
        &["report_outage", "technical_issue", "repair_request"],
    ),
    (
        "products",
        "Questions on products, and defects",
        1800,
        &["product_question", "product_defect"],
    ),
    ("bookings", "Reservations, tickets and appointments", 900, &["booking_issue"]),
    (
        "casework",
        "Applications, documents and claims",
        3600,
        &["application_or_document", "file_claim"],
    ),
    (
        "feedback",
        "Complaints, reviews, praise and ideas",
        3600,
        &["complaint", "review", "praise", "suggestion"],
    ),
    (
        TRIAGE,
        "Finds out what a customer needs",
        900,
        &["contact_customer_service", "contact_human_agent"],
    ),
];

/// Languages that need a person who speaks them, by ISO 639-1 code. English needs no skill of its own.
const LANGUAGES: [(&str, &str); 26] = [
    ("ar", "Arabic"),
    ("cs", "Czech"),
    ("da", "Danish"),
    ("de", "German"),
    ("el", "Greek"),
    ("es", "Spanish"),
    ("fi", "Finnish"),
    ("fr", "French"),
    ("he", "Hebrew"),
    ("hi", "Hindi"),
    ("hu", "Hungarian"),
    ("id", "Indonesian"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("ko", "Korean"),
    ("nl", "Dutch"),
    ("no", "Norwegian"),
    ("pl", "Polish"),
    ("pt", "Portuguese"),
    ("ro", "Romanian"),
    ("ru", "Russian"),
    ("sv", "Swedish"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
    ("vi", "Vietnamese"),
    ("zh", "Chinese"),
];

/// Returns the skills the standard policy names and what they mean.
pub(super) fn skills() -> Vec<(SkillId, String)> {
    let routes = ROUTES.iter().map(|(name, meaning, ..)| (skill(name), (*meaning).to_owned()));
    let languages =
        LANGUAGES.iter().map(|(code, name)| (language_skill(code), format!("Answers in {name}")));
    routes.chain(languages).collect()
}

/// Returns the policy that a new workspace starts with; routing sets its version.
#[must_use]
pub fn policy() -> Policy {
    let languages = LANGUAGES.iter();
    Policy {
        routes: ROUTES.iter().map(route).collect(),
        language_skills: languages
            .map(|(code, _)| ((*code).to_owned(), language_skill(code)))
            .collect(),
        // Low, normal, high and critical: how much waiting the urgency counts for.
        urgency_head_start_secs: [0, 0, 300, 900],
        priority_point_secs: 60,
        relaxation: vec![
            RelaxationStep { after_secs: 120, proficiency_reduction: 1, drop_requirements: false },
            RelaxationStep { after_secs: 1800, proficiency_reduction: 4, drop_requirements: true },
        ],
        triage_after_secs: Some(600),
        ..Policy::new(skill(TRIAGE))
    }
}

fn route((name, _, target_secs, intents): &Line) -> Route {
    let requirement = Requirement::new(skill(name), PROFICIENCY_MIN, false);
    let intents = intents.iter().map(|intent| (*intent).to_owned()).collect();
    let matches = RouteMatch { intents, ..RouteMatch::default() };
    let name = if *name == TRIAGE { "contact" } else { name };
    Route { target_secs: Some(*target_secs), ..Route::new(name, matches, vec![requirement]) }
}

fn language_skill(code: &str) -> SkillId {
    skill(&format!("language/{code}"))
}

#[expect(
    clippy::expect_used,
    reason = "called with the constants above only, all of them in a test"
)]
fn skill(name: &str) -> SkillId {
    SkillId::new(name).expect("a constant identifier")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The intents of the shipped model.
    const INTENTS: [&str; 40] = [
        "application_or_document",
        "booking_issue",
        "cancel_order",
        "change_order",
        "change_shipping_address",
        "check_cancellation_fee",
        "check_invoice",
        "check_payment_methods",
        "check_refund_policy",
        "complaint",
        "contact_customer_service",
        "contact_human_agent",
        "create_account",
        "delete_account",
        "delivery_options",
        "delivery_period",
        "edit_account",
        "file_claim",
        "get_invoice",
        "get_refund",
        "newsletter_subscription",
        "payment_issue",
        "place_order",
        "praise",
        "product_defect",
        "product_question",
        "recover_password",
        "registration_problems",
        "repair_request",
        "report_emergency",
        "report_fraud",
        "report_outage",
        "report_privacy_issue",
        "review",
        "set_up_shipping_address",
        "suggestion",
        "switch_account",
        "technical_issue",
        "track_order",
        "track_refund",
    ];

    #[test]
    fn each_intent_has_exactly_one_route() {
        let policy = policy();
        let mut routed: Vec<_> =
            policy.routes.iter().flat_map(|route| route.matches.intents.clone()).collect();
        routed.sort();
        assert_eq!(routed, INTENTS);
    }

    #[test]
    fn every_skill_it_names_is_declared_once() {
        let policy = policy();
        let skills: BTreeMap<_, _> = skills().into_iter().collect();
        assert_eq!(skills.len(), ROUTES.len() + LANGUAGES.len());
        let by_routes = policy.routes.iter().flat_map(|route| &route.requirements);
        let named = by_routes.map(|need| &need.skill).chain(policy.language_skills.values());
        for skill in named.chain([&policy.triage_skill]) {
            assert!(skills.contains_key(skill), "{skill}");
        }
    }
}
