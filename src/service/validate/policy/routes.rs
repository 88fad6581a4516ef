//! Which ticket goes where.

use std::collections::BTreeSet;

use crate::{
    api::v1,
    domain::{
        condition::Condition,
        id::SkillId,
        limits,
        policy::{RESERVED_ROUTES, Route, RouteMatch},
        reading::Urgency,
    },
    service::validate::{
        Check,
        skills::{preferred, requirements},
        ticket::{attributes, language, target_secs},
    },
};

/// Most values in the attribute conditions of a route.
const MATCH_ATTRIBUTES_MAX: usize = 16;

/// Takes the routes of a policy.
pub(super) fn routes(
    check: &mut Check,
    given: &[v1::Route],
    declared: &BTreeSet<SkillId>,
) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    if !check.count("policy.routes", given.len(), limits::ROUTES_MAX) {
        return routes;
    }
    for (index, given) in given.iter().enumerate() {
        let field = format!("policy.routes[{index}]");
        let route = route(check, &field, given, declared);
        if routes.iter().any(|earlier| earlier.name == route.name) {
            check.reject(&format!("{field}.name"), "must be unique in the policy");
        }
        routes.push(route);
    }
    let names: BTreeSet<&str> = routes.iter().map(|route| route.name.as_str()).collect();
    for (index, route) in routes.iter().enumerate() {
        let field = format!("policy.routes[{index}]");
        overflow(check, &field, route, &names);
    }
    routes
}

fn route(check: &mut Check, field: &str, given: &v1::Route, declared: &BTreeSet<SkillId>) -> Route {
    let name_field = format!("{field}.name");
    let name = check.text(&name_field, &given.name, 1..=limits::ID_CHARS_MAX);
    if RESERVED_ROUTES.contains(&name.as_str()) {
        let reserved = "must not be `triage`, `language`, `transfer` or `by_hand`, which name plans \
                        that no route made";
        check.reject(&name_field, reserved);
    }
    let matches = route_match(check, field, given.r#match.clone().unwrap_or_default());
    let needs =
        requirements(check, &format!("{field}.requirements"), &given.requirements, declared);
    let head_start_secs = check.range(
        &format!("{field}.head_start_secs"),
        given.head_start_secs,
        0..=limits::HEAD_START_SECS_MAX,
    );
    let waiting_bound = u32::try_from(limits::OPEN_TICKETS_MAX).unwrap_or(u32::MAX);
    let waiting_field = format!("{field}.waiting_max");
    let waiting_max = check.range(&waiting_field, given.waiting_max, 0..=waiting_bound);
    let overflow_field = format!("{field}.overflow_route");
    let overflow = check.text(&overflow_field, &given.overflow_route, 0..=limits::ID_CHARS_MAX);
    Route {
        name,
        matches,
        requirements: needs,
        head_start_secs,
        target_secs: target_secs(check, &format!("{field}.target_secs"), given.target_secs),
        when: when(check, &format!("{field}.when"), &given.when),
        preferred: preferred(check, &format!("{field}.preferred"), &given.preferred, declared),
        around_the_clock: given.around_the_clock,
        waiting_max: (waiting_max > 0).then_some(waiting_max),
        overflow: (!overflow.is_empty()).then_some(overflow),
    }
}

/// Takes a condition; empty for none.
fn when(check: &mut Check, field: &str, source: &str) -> Option<Condition> {
    if source.trim().is_empty() {
        return None;
    }
    let parsed = Condition::parse(source);
    parsed.map_err(|invalid| check.reject(field, invalid.to_string())).ok()
}

/// Checks what a route says of being full: the bound and the way out go together.
fn overflow(check: &mut Check, field: &str, route: &Route, names: &BTreeSet<&str>) {
    let overflow_field = format!("{field}.overflow_route");
    match (&route.overflow, route.waiting_max) {
        (None, Some(max)) => {
            let allowed = format!("must be 0 without `overflow_route`, not {max}");
            check.reject(&format!("{field}.waiting_max"), allowed);
        }
        (Some(_), None) => {
            let allowed = "must be empty without `waiting_max`, which says when the route is full";
            check.reject(&overflow_field, allowed);
        }
        _ => {}
    }
    if let Some(other) = &route.overflow
        && (*other == route.name || !names.contains(other.as_str()))
    {
        let allowed = format!("must name another route of the policy, not {other:?}");
        check.reject(&overflow_field, allowed);
    }
}

fn route_match(check: &mut Check, field: &str, given: v1::RouteMatch) -> RouteMatch {
    let field = format!("{field}.match");
    let languages = format!("{field}.languages");
    if check.count(&languages, given.languages.len(), limits::MATCH_VALUES_MAX) {
        for (index, code) in given.languages.iter().enumerate() {
            let path = format!("{languages}[{index}]");
            if language(check, &path, code).is_none() {
                check.reject(&path, "must be an ISO 639-1 code, two small letters such as `en`");
            }
        }
    }
    RouteMatch {
        intents: words(
            check,
            &format!("{field}.intents"),
            &given.intents,
            limits::INTENT_CHARS_MAX,
        ),
        channels: words(
            check,
            &format!("{field}.channels"),
            &given.channels,
            limits::CHANNEL_CHARS_MAX,
        ),
        urgencies: urgencies(check, &format!("{field}.urgencies"), &given.urgencies),
        attributes: attributes(
            check,
            &format!("{field}.attributes"),
            &given.attributes,
            MATCH_ATTRIBUTES_MAX,
        ),
        languages: given.languages,
    }
}

fn words(check: &mut Check, field: &str, given: &[String], chars_max: usize) -> Vec<String> {
    if !check.count(field, given.len(), limits::MATCH_VALUES_MAX) {
        return Vec::new();
    }
    let words = given.iter().enumerate();
    words
        .map(|(index, word)| check.text(&format!("{field}[{index}]"), word, 1..=chars_max))
        .collect()
}

fn urgencies(check: &mut Check, field: &str, given: &[i32]) -> Vec<Urgency> {
    if !check.count(field, given.len(), Urgency::ALL.len()) {
        return Vec::new();
    }
    let mut urgencies = Vec::new();
    for (index, urgency) in given.iter().enumerate() {
        match v1::Urgency::try_from(*urgency) {
            Ok(v1::Urgency::Low) => urgencies.push(Urgency::Low),
            Ok(v1::Urgency::Normal) => urgencies.push(Urgency::Normal),
            Ok(v1::Urgency::High) => urgencies.push(Urgency::High),
            Ok(v1::Urgency::Critical) => urgencies.push(Urgency::Critical),
            Ok(v1::Urgency::Unspecified) | Err(_) => {
                let allowed = "must be LOW, NORMAL, HIGH or CRITICAL";
                check.reject(&format!("{field}[{index}]"), allowed);
            }
        }
    }
    urgencies
}
