//! Policy files: what is taken, and how what is not is named.

use super::day::{policy, skill, skills};
use crate::{
    backtest::Candidate,
    domain::{
        calendar::{Calendar, CalendarForm, Weekday, WeeklyInterval},
        policy::{AgentChoice, Batching, OccupancyCeiling, Policy, Requirement, TicketOrder},
    },
};

fn read(text: &str) -> Candidate {
    Candidate::read(text, &policy(), &skills()).unwrap()
}

fn problems(text: &str) -> Vec<String> {
    let problems = Candidate::read(text, &policy(), &skills()).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn what_the_file_does_not_say_stays() {
    let candidate = read("offer_timeout_secs = 45\ntriage_after_secs = \"none\"\n");
    let wanted = Policy { offer_timeout_secs: 45, triage_after_secs: None, ..policy() };
    assert_eq!(candidate.policy, wanted);
    assert_eq!(candidate.changed, ["offer_timeout_secs", "triage_after_secs"]);
    let same = read("{\"triage_after_secs\": null, \"offer_timeout_secs\": 45}");
    assert_eq!(same.policy, wanted);
    assert_eq!(read("").policy, policy());
    assert_eq!(read("wrap_up_secs = 3").changed, [""; 0], "it is 3 already");
}

#[test]
fn routes_may_leave_out_what_has_a_default() {
    let candidate = read(
        "agent_choice = 'random'\nticket_order = { ageing = { weights_milli = [1000, 2000] } }\n\
         [[routes]]\nname = 'all'\nmatches = { channels = ['chat'] }\n\
         requirements = [{ skill = 'orders' }]\n",
    );
    let route = &candidate.policy.routes[0];
    assert_eq!(route.requirements, [Requirement::new(skill("orders"), 1, false)]);
    assert_eq!((candidate.policy.routes.len(), route.matches.channels.len()), (1, 1));
    assert_eq!(candidate.policy.agent_choice, AgentChoice::Random);
    let order = TicketOrder::Ageing { weights_milli: vec![1000, 2000] };
    assert_eq!(candidate.policy.ticket_order, order);
}

#[test]
fn every_problem_names_the_key_the_value_and_what_is_allowed() {
    for (text, wanted) in [
        (
            "ofer_timeout_secs = 5",
            "ofer_timeout_secs = 5: there is no such key; the nearest is offer_timeout_secs",
        ),
        (
            "wrap_up_secs = 'long'",
            "wrap_up_secs = \"long\": must be a whole number from 0 to 4294967295",
        ),
        ("wrap_up_secs = -1", "wrap_up_secs = -1: must be a whole number from 0 to 4294967295"),
        (
            "intent_confidence_min = 1.5",
            "intent_confidence_min = 1.5: must be a number from 0 to 1",
        ),
        (
            "triage_skill = 'triag'",
            "triage_skill = \"triag\": must be a declared skill; the nearest is triage",
        ),
        ("agent_choice = 'best'", "must be one of longest_cumulative_idle, longest_idle"),
        ("routes = 3", "routes = 3: must be a list"),
        (
            "[[routes]]\nname = 'x'\nhead_start = 5",
            "routes[0].head_start = 5: there is no such key",
        ),
        ("[[routes]]\nhead_start_secs = 5", "routes[0].name: is needed here"),
        (
            "[[routes]]\nname = 'x'\nrequirements = [{ skill = 'cooking' }]",
            "routes[0].requirements[0].skill = \"cooking\": must be a declared skill; there are billing",
        ),
        ("[[routes]]\nname = 'x'\nwhen = 'urgency =='", "routes[0] = "),
        ("hours = { time_zone = 'Mars/Base' }", "hours = "),
        ("language_skills = { es = 'spannish' }", "language_skills.es = \"spannish\": must be"),
        ("urgency_head_start_secs = [1, 2]", "must be a list of 4 whole numbers"),
        ("spread_hard_tickets = 'yes'", "must be true or false"),
        ("wrap_up_secs = ", "not TOML"),
        ("{ \"wrap_up_secs\": }", "not JSON"),
    ] {
        let found = problems(text).join("\n");
        assert!(found.contains(wanted), "{text}\n  gives {found}\n  not   {wanted}");
    }
    assert_eq!(problems("a = 1\nb = 2").len(), 2, "all are named at once");
}

/// Written out in full, so that a new key of the policy does not compile until it is in the list.
#[test]
fn every_key_of_a_policy_can_be_given() {
    let monday = WeeklyInterval {
        weekday: Weekday::Monday,
        from: "09:00".to_owned(),
        to: "17:00".to_owned(),
    };
    let form = CalendarForm {
        time_zone: "Europe/Berlin".to_owned(),
        weekly: vec![monday],
        exceptions: [("2026-12-25".to_owned(), Vec::new())].into(),
    };
    let Policy { version, routes, triage_skill, language_skills, relaxation, .. } = policy();
    let mut routes = routes;
    let route = &mut routes[0];
    (route.around_the_clock, route.waiting_max) = (true, Some(3));
    route.overflow = Some("orders".to_owned());
    route.when = Some("priority > 2".to_owned().try_into().unwrap());
    let whole = Policy {
        version,
        routes,
        triage_skill,
        intent_confidence_min: 0.25,
        language_skills,
        urgency_head_start_secs: [1, 2, 3, 4],
        priority_point_secs: 1,
        relaxation,
        triage_after_secs: Some(1),
        offer_timeout_secs: 1,
        decline_backoff_secs: 1,
        presence_lease_secs: 1,
        wrap_up_secs: 1,
        assignment_return_secs: 1,
        reading_wait_ms: 1,
        ticket_order: TicketOrder::Strict,
        agent_choice: AgentChoice::Fastest,
        batching: Batching { gather_ms: 1 },
        occupancy_ceiling: Some(OccupancyCeiling { percent: 80, burst_secs: 1 }),
        spread_hard_tickets: true,
        ramp_up_secs: 1,
        preferred_agent_wait_secs: 1,
        interruptible_channels: vec!["email".to_owned()],
        hours: Some(Calendar::try_from(form).unwrap()),
        open_tickets_max: Some(1),
    };
    let text = serde_json::to_string(&whole).unwrap();
    assert_eq!(read(&text).policy, whole);
}

#[test]
fn what_the_api_refuses_is_named_by_the_keys_of_the_file() {
    let candidate = read("offer_timeout_secs = 0\n");
    let problem = candidate.refused("policy.offer_timeout_secs", "must be 1 to 86400, not 0");
    assert_eq!(problem.to_string(), "offer_timeout_secs = 0: must be 1 to 86400, not 0");
    let problem = candidate.refused("policy.routes[0].requirements[0].skill_id", "is no skill");
    assert_eq!(problem.to_string(), "routes[0].requirements[0].skill = \"billing\": is no skill");
}
