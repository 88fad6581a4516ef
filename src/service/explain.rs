//! Decisions in plain sentences. Pure: the same record always reads the same.
//!
//! The sentences speak of the agent by identifier and never by pronoun.

use crate::domain::{
    decision::{Decision, Exclusion, Rule},
    id::AgentId,
    policy::{Plan, Requirement, TriageReason},
};

/// Returns the whole decision in a few sentences; `agent` is `None` when the ticket waits.
pub(crate) fn decision(
    agent: Option<&AgentId>,
    decision: &Decision,
    plan: &Plan,
    model: &str,
) -> String {
    let mut sentences = vec![match agent {
        Some(agent) => why(agent, decision),
        None => waits(decision),
    }];
    sentences.extend(not_eligible(&decision.exclusions));
    sentences.push(waited(decision));
    sentences.push(planned(plan));
    if plan.fast_tracked() {
        let head_start = duration(u64::from(plan.head_start_secs) * 1000);
        sentences.push(format!("Moved ahead in the queue by {head_start}."));
    }
    if !model.is_empty() {
        sentences.push(format!("Read by {model}."));
    }
    sentences.join(" ")
}

/// Returns why this agent, in one sentence.
pub(crate) fn why(agent: &AgentId, decision: &Decision) -> String {
    let skills = skills(&decision.requirements);
    let idle = decision.candidates.first().map(|first| duration(first.idle_ms));
    let has = skills.map(|skills| format!("has {skills}")).into_iter();
    let first = match (decision.eligible_count, idle) {
        (0 | 1, _) => "is the only eligible agent".to_owned(),
        (count, None) => format!("comes first of {count} eligible agents"),
        (count, Some(idle)) => {
            format!("has the longest idle time ({idle}) of {count} eligible agents")
        }
    };
    format!("Offered to {agent}: {}.", has.chain([first]).collect::<Vec<_>>().join(", and "))
}

fn waits(decision: &Decision) -> String {
    match skills(&decision.requirements) {
        Some(skills) => format!("Waiting: nobody with {skills} is free right now."),
        None => "Waiting: nobody is free right now.".to_owned(),
    }
}

/// Returns the skills needed as a list for people; `None` when none is.
fn skills(requirements: &[Requirement]) -> Option<String> {
    let names = requirements.iter().map(|requirement| match requirement.proficiency_min {
        0 | 1 => requirement.skill.to_string(),
        level => format!("{} at level {level} or higher", requirement.skill),
    });
    list(names.collect())
}

fn not_eligible(exclusions: &[Exclusion]) -> Option<String> {
    let groups = exclusions.iter().filter(|exclusion| exclusion.agent_count > 0).map(group);
    Some(format!("Not eligible: {}.", list(groups.collect())?))
}

fn group(exclusion: &Exclusion) -> String {
    let count = exclusion.agent_count;
    let one = count == 1;
    let skill = exclusion.skill.as_ref().map_or_else(|| "a skill".into(), ToString::to_string);
    match exclusion.rule {
        Rule::NotTheTransferTarget if one => "1 whom the transfer does not name".to_owned(),
        Rule::NotTheTransferTarget => format!("{count} whom the transfer does not name"),
        Rule::SkillMissing if one => format!("1 lacks {skill}"),
        Rule::SkillMissing => format!("{count} lack {skill}"),
        Rule::ProficiencyTooLow if one => format!("1 has {skill} at too low a level"),
        Rule::ProficiencyTooLow => format!("{count} have {skill} at too low a level"),
        Rule::NotAvailable if one => "1 is not available".to_owned(),
        Rule::NotAvailable => format!("{count} are not available"),
        Rule::NoCapacity if one => "1 has no room for another ticket".to_owned(),
        Rule::NoCapacity => format!("{count} have no room for another ticket"),
        Rule::DeclinedRecently => format!("{count} passed on it a short while ago"),
    }
}

fn waited(decision: &Decision) -> String {
    let waited = duration(decision.waited_ms);
    match decision.relaxation_step {
        0 => format!("Waited {waited}; no relaxation."),
        1 => format!("Waited {waited}; 1 relaxation step was taken."),
        steps => format!("Waited {waited}; {steps} relaxation steps were taken."),
    }
}

fn planned(plan: &Plan) -> String {
    let version = plan.policy_version;
    match plan.triage {
        None => format!("Planned by route `{}` of policy {version}.", plan.route),
        Some(reason) => {
            let because = match reason {
                TriageReason::LowConfidence => "the model was not sure enough of the intent",
                TriageReason::OutOfScope => "no intent the model knows fits the text",
                TriageReason::LanguageUnsupported => "the model cannot read the language",
                TriageReason::NoRoute => "no route of the policy matches",
                TriageReason::WaitedTooLong => "nobody suitable took it in time",
                TriageReason::Unread => "the model has not read it yet",
            };
            format!("A person decides where it goes, because {because} (policy {version}).")
        }
    }
}

/// Joins items with commas and a final "and"; `None` without items.
fn list(mut items: Vec<String>) -> Option<String> {
    let last = items.pop()?;
    if items.is_empty() { Some(last) } else { Some(format!("{} and {last}", items.join(", "))) }
}

/// Returns a time as people say it: at most two units, the smaller ones dropped.
fn duration(ms: u64) -> String {
    let secs = ms / 1000;
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        small => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match secs {
        0..10 => format!("{secs}.{} s", ms % 1000 / 100),
        10..60 => format!("{secs} s"),
        60..600 => two(secs / 60, "min", secs % 60, "s"),
        600..3600 => format!("{} min", secs / 60),
        3600..86_400 => two(secs / 3600, "h", secs % 3600 / 60, "min"),
        _ => two(secs / 86_400, "d", secs % 86_400 / 3600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{decision::Candidate, id::SkillId};

    fn agent(id: &str) -> AgentId {
        AgentId::new(id).unwrap()
    }

    fn requirement(skill: &str, proficiency_min: u8) -> Requirement {
        Requirement { skill: SkillId::new(skill).unwrap(), proficiency_min, permanent: false }
    }

    fn exclusion(rule: Rule, skill: Option<&str>, agent_count: u32) -> Exclusion {
        let skill = skill.map(|skill| SkillId::new(skill).unwrap());
        Exclusion { rule, skill, agent_count, agents: Vec::new() }
    }

    fn plan() -> Plan {
        Plan {
            policy_version: 3,
            route: "refunds".to_owned(),
            triage: None,
            requirements: Vec::new(),
            head_start_secs: 0,
            target_secs: None,
        }
    }

    fn sample() -> Decision {
        let candidate =
            |id, idle_ms| Candidate { agent: agent(id), idle_ms, proficiency_surplus: 0 };
        Decision {
            requirements: vec![requirement("refunds", 3), requirement("lang/es", 1)],
            relaxation_step: 0,
            waited_ms: 2_140,
            eligible_count: 3,
            candidates: vec![candidate("ana", 240_000), candidate("ben", 10)],
            exclusions: vec![
                exclusion(Rule::NotAvailable, None, 2),
                exclusion(Rule::SkillMissing, Some("refunds"), 5),
                exclusion(Rule::NoCapacity, None, 1),
            ],
            counterfactual: None,
        }
    }

    #[test]
    fn an_offer_says_who_why_and_why_not_the_others() {
        assert_eq!(
            decision(Some(&agent("ana")), &sample(), &plan(), "support-1.0.0"),
            "Offered to ana: has refunds at level 3 or higher and lang/es, and has the longest idle \
             time (4 min) of 3 eligible agents. Not eligible: 2 are not available, 5 lack refunds \
             and 1 has no room for another ticket. Waited 2.1 s; no relaxation. Planned by route \
             `refunds` of policy 3. Read by support-1.0.0."
        );
    }

    #[test]
    fn a_ticket_that_waits_says_what_it_waits_for() {
        let nobody = Decision {
            eligible_count: 0,
            candidates: Vec::new(),
            relaxation_step: 2,
            waited_ms: 5_400_000,
            ..sample()
        };
        let triage = Plan { triage: Some(TriageReason::OutOfScope), head_start_secs: 90, ..plan() };
        assert_eq!(
            decision(None, &nobody, &triage, ""),
            "Waiting: nobody with refunds at level 3 or higher and lang/es is free right now. Not \
             eligible: 2 are not available, 5 lack refunds and 1 has no room for another ticket. \
             Waited 1 h 30 min; 2 relaxation steps were taken. A person decides where it goes, \
             because no intent the model knows fits the text (policy 3). Moved ahead in the queue \
             by 1 min 30 s."
        );
    }

    #[test]
    fn the_only_eligible_agent_is_called_so() {
        let only = Decision { eligible_count: 1, requirements: Vec::new(), ..sample() };
        assert_eq!(why(&agent("ana"), &only), "Offered to ana: is the only eligible agent.");
    }

    #[test]
    fn times_are_written_as_people_say_them() {
        for (ms, text) in [
            (0, "0.0 s"),
            (9_999, "9.9 s"),
            (10_000, "10 s"),
            (61_000, "1 min 1 s"),
            (3_599_000, "59 min"),
            (3_600_000, "1 h"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }
}
