//! Tests of validation: everything wrong is named at once, nothing that a ticket says is repeated.

mod policies;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{api::v1, domain::limits};

fn skill_set(names: &[&str]) -> BTreeSet<SkillId> {
    names.iter().map(|name| SkillId::new(*name).unwrap()).collect()
}

fn declared() -> Declared {
    Declared {
        segment_attributes: vec!["age_band".to_owned(), "region".to_owned()],
        skills: skill_set(&["refunds", "legal", "triage"]),
    }
}

fn violations<T>(result: Result<T, Error>) -> Vec<(String, String)> {
    match result {
        Err(Error::Invalid(violations)) => {
            violations.into_iter().map(|v| (v.field, v.message)).collect()
        }
        Err(error) => panic!("{error:?}"),
        Ok(_) => Vec::new(),
    }
}

fn fields<T>(result: Result<T, Error>) -> Vec<String> {
    violations(result).into_iter().map(|(field, _)| field).collect()
}

fn ticket() -> v1::NewTicket {
    v1::NewTicket {
        channel: "email".to_owned(),
        body: "hello".to_owned(),
        ..v1::NewTicket::default()
    }
}

fn check_ticket(
    ticket: v1::NewTicket,
) -> Result<(crate::domain::ticket::Intake, crate::domain::ticket::Payload), Error> {
    let mut check = Check::default();
    let taken = new_ticket(&mut check, Some(ticket), &declared());
    check.finish(taken)
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_good_ticket_is_taken_as_it_is_meant() {
    let (intake, payload) = check_ticket(v1::NewTicket {
        subject: " Cafe\u{301}\0 ".to_owned(),
        body: "a\r\nb".to_owned(),
        language: "es".to_owned(),
        segments: map(&[("region", "north")]),
        attributes: map(&[("plan", "gold")]),
        skill_requirements: vec![v1::SkillRequirement {
            skill_id: "legal".to_owned(),
            proficiency_min: 0,
            permanent: true,
            ..Default::default()
        }],
        priority: 10,
        target_secs: 60,
        preferred_agent_id: "ana".to_owned(),
        ..ticket()
    })
    .unwrap();
    assert_eq!(intake.preferred_agent.as_ref().unwrap().as_str(), "ana");
    assert_eq!((payload.subject.as_str(), payload.body.as_str()), ("Café", "a\nb"));
    assert_eq!(intake.language.as_deref(), Some("es"));
    assert_eq!(intake.requirements[0].proficiency_min, 1);
    assert_eq!((intake.priority, intake.target_secs), (10, Some(60)));
}

#[test]
fn every_fault_of_a_ticket_is_named_at_once() {
    let requirement = |skill: &str, proficiency_min| v1::SkillRequirement {
        skill_id: skill.to_owned(),
        proficiency_min,
        ..Default::default()
    };
    let found = fields(check_ticket(v1::NewTicket {
        channel: "c".repeat(65),
        subject: String::new(),
        body: "\u{200b}\0 \u{feff}".to_owned(),
        customer: "x".repeat(129),
        language: "english".to_owned(),
        segments: map(&[("shoe size!", "44"), ("region", "")]),
        attributes: map(&[("plan", &"v".repeat(257))]),
        skill_requirements: vec![
            requirement("refunds", 1),
            requirement("refunds", 6),
            requirement("flying", 1),
        ],
        priority: 11,
        target_secs: limits::TARGET_SECS_MAX + 1,
        preferred_agent_id: "no spaces".to_owned(),
    }));
    assert_eq!(
        found,
        [
            "ticket.customer",
            "ticket.segments[region]",
            "ticket.segments[entry 1]",
            "ticket.body",
            "ticket.channel",
            "ticket.language",
            "ticket.attributes[plan]",
            "ticket.skill_requirements[1].proficiency_min",
            "ticket.skill_requirements[1].skill_id",
            "ticket.skill_requirements[2].skill_id",
            "ticket.priority",
            "ticket.target_secs",
            "ticket.preferred_agent_id",
        ]
    );
}

#[test]
fn an_undeclared_segment_is_told_which_are_declared() {
    let result = check_ticket(v1::NewTicket { segments: map(&[("shoes", "44")]), ..ticket() });
    let found = violations(result);
    assert_eq!(found[0].0, "ticket.segments[shoes]");
    assert!(found[0].1.ends_with("declares: age_band, region"), "{}", found[0].1);
}

#[test]
fn limits_hold_to_the_character() {
    let with_body = |chars| v1::NewTicket { body: "é".repeat(chars), ..ticket() };
    assert!(check_ticket(with_body(limits::BODY_CHARS_MAX)).is_ok());
    assert_eq!(fields(check_ticket(with_body(limits::BODY_CHARS_MAX + 1))), ["ticket.body"]);
    let many = |count: usize| {
        let attributes = (0..count).map(|index| (format!("a{index}"), "v".to_owned())).collect();
        v1::NewTicket { attributes, ..ticket() }
    };
    assert!(check_ticket(many(limits::ATTRIBUTES_MAX)).is_ok());
    assert_eq!(fields(check_ticket(many(limits::ATTRIBUTES_MAX + 1))), ["ticket.attributes"]);
}

#[test]
fn a_missing_message_is_required() {
    let mut check = Check::default();
    let taken = new_ticket(&mut check, None, &declared());
    assert_eq!(violations(check.finish(taken)), [("ticket".to_owned(), "is required".to_owned())]);
}

#[test]
fn however_much_is_wrong_the_answer_fits_into_a_header() {
    let mut check = Check::default();
    for index in 0..1000 {
        check.reject(&format!("policy.routes[{index}].name"), "must be unique in the policy");
    }
    let error = check.finish(None::<()>).unwrap_err();
    let status = tonic::Status::from(error);
    assert!(status.details().len() < 5_000, "{} bytes", status.details().len());
    let bad = tonic_types::StatusExt::get_details_bad_request(&status).unwrap();
    let last = bad.field_violations.last().unwrap();
    assert!(last.description.ends_with("more fields break a rule"), "{}", last.description);
}

#[test]
fn idempotency_keys_are_visible_ascii() {
    for (key, ok) in [
        ("", true),
        ("a-b_C:9", true),
        (&"k".repeat(64), true),
        (&"k".repeat(65), false),
        ("a b", false),
        ("é", false),
        ("a\n", false),
    ] {
        let mut check = Check::default();
        check.idempotency_key(key);
        assert_eq!(check.finish(Some(())).is_ok(), ok, "{key:?}");
    }
}

#[test]
fn an_outcome_says_how_it_ended_and_the_right_intent_only_with_a_wrong_one() {
    let outcome_of = |resolution: v1::Resolution, right_intent: &str, satisfaction| {
        let mut check = Check::default();
        let given = v1::Outcome {
            resolution: resolution.into(),
            right_intent: right_intent.to_owned(),
            satisfaction,
        };
        let taken = outcome(&mut check, Some(given));
        fields(check.finish(taken))
    };
    assert_eq!(outcome_of(v1::Resolution::Unspecified, "", 0), ["outcome.resolution"]);
    assert_eq!(outcome_of(v1::Resolution::WrongIntent, "", 0), ["outcome.right_intent"]);
    assert_eq!(
        outcome_of(v1::Resolution::Resolved, "refund", 6),
        ["outcome.right_intent", "outcome.satisfaction"]
    );
    assert!(outcome_of(v1::Resolution::WrongIntent, "refund", 5).is_empty());
}

fn good_policy() -> v1::Policy {
    v1::Policy {
        triage_skill: "triage".to_owned(),
        intent_confidence_min: 0.5,
        offer_timeout_secs: 30,
        presence_lease_secs: 30,
        assignment_return_secs: 60,
        reading_wait_ms: 100,
        routes: vec![v1::Route { name: "refunds".to_owned(), ..Default::default() }],
        ..Default::default()
    }
}

fn check_policy(given: v1::Policy) -> Result<crate::domain::policy::Policy, Error> {
    let mut check = Check::default();
    let taken = policy(&mut check, Some(given), &declared().skills);
    check.finish(taken)
}

#[test]
fn a_good_policy_is_taken() {
    let taken = check_policy(good_policy()).unwrap();
    assert_eq!(taken.triage_skill.as_str(), "triage");
    assert_eq!(taken.triage_after_secs, None);
}

#[test]
fn every_fault_of_a_policy_is_named_at_once() {
    let step = |after_secs, proficiency_reduction| v1::RelaxationStep {
        after_secs,
        proficiency_reduction,
        drop_requirements: false,
    };
    let route = |name: &str| v1::Route { name: name.to_owned(), ..Default::default() };
    let found = fields(check_policy(v1::Policy {
        triage_skill: "nobody".to_owned(),
        intent_confidence_min: f64::NAN,
        routes: vec![
            v1::Route {
                r#match: Some(v1::RouteMatch {
                    languages: vec!["EN".to_owned()],
                    urgencies: vec![0, 9],
                    ..Default::default()
                }),
                head_start_secs: 3601,
                ..route("twice")
            },
            route("twice"),
            route("triage"),
        ],
        language_skills: map(&[("de", "german")]),
        relaxation: vec![step(60, 0), step(60, 5)],
        offer_timeout_secs: 0,
        ..good_policy()
    }));
    assert_eq!(
        found,
        [
            "policy.triage_skill",
            "policy.intent_confidence_min",
            "policy.routes[0].match.languages[0]",
            "policy.routes[0].match.urgencies[0]",
            "policy.routes[0].match.urgencies[1]",
            "policy.routes[0].head_start_secs",
            "policy.routes[1].name",
            "policy.routes[2].name",
            "policy.language_skills[de]",
            "policy.relaxation[1].after_secs",
            "policy.relaxation[1].proficiency_reduction",
            "policy.offer_timeout_secs",
        ]
    );
}

#[test]
fn a_profile_has_each_skill_once_at_a_level_from_1_to_5() {
    let skill = |name: &str, proficiency| v1::AgentSkill { skill_id: name.to_owned(), proficiency };
    let mut check = Check::default();
    let given = v1::AgentProfile {
        agent_id: "no spaces".to_owned(),
        skills: vec![skill("refunds", 0), skill("refunds", 5), skill("dance", 1)],
        capacity_units: 101,
        channels: vec![v1::ChannelCapacity { channel: "chat".to_owned(), cost_units: 0 }],
        ..Default::default()
    };
    let taken = profile(&mut check, Some(given), &declared().skills);
    assert_eq!(
        fields(check.finish(taken)),
        [
            "profile.agent_id",
            "profile.capacity_units",
            "profile.skills[0].proficiency",
            "profile.skills[1].skill_id",
            "profile.skills[2].skill_id",
            "profile.channels[0].cost_units",
        ]
    );
}

#[test]
fn periods_end_after_they_start() {
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let mut check = Check::default();
    check.period(at(2), at(1));
    check.period(at(i64::MAX), None);
    assert_eq!(fields(check.finish(Some(()))), ["end_time", "start_time"]);
}

proptest! {
    /// Whatever comes in, no violation repeats it.
    #[test]
    fn no_value_is_ever_repeated(secret in "[A-Z]{12}[!-~]{0,80}") {
        let result = check_ticket(v1::NewTicket {
            channel: secret.repeat(9),
            customer: secret.repeat(30),
            language: secret.clone(),
            preferred_agent_id: format!("{secret} and more"),
            segments: map(&[("region", &secret.repeat(9))]),
            skill_requirements: vec![v1::SkillRequirement {
                skill_id: secret.clone(),
                ..Default::default()
            }],
            ..ticket()
        });
        for (field, message) in violations(result) {
            prop_assert!(!field.contains(&secret) && !message.contains(&secret), "{message}");
        }
    }

    /// Any message that decodes is either taken within its limits or refused; nothing panics.
    #[test]
    fn any_text_is_taken_or_refused(body in ".{0,300}", subject in "\\PC{0,40}", channel in ".{0,70}") {
        let given = v1::NewTicket { channel, subject, body, ..v1::NewTicket::default() };
        if let Ok((intake, payload)) = check_ticket(given) {
            prop_assert!(!payload.text().trim().is_empty());
            prop_assert!(!payload.body.contains('\0') && !payload.body.contains('\r'));
            prop_assert!((1..=limits::CHANNEL_CHARS_MAX).contains(&intake.channel.chars().count()));
        }
    }
}
