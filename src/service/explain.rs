//! Decisions in plain sentences. Pure: the same record always reads the same.
//!
//! The sentences speak of the agent by identifier and never by pronoun.

mod why;

pub(crate) use why::why;

use crate::domain::{
    decision::{Change, Counterfactual, Decision, Exclusion, Rule},
    id::{AgentId, SkillId},
    policy::{AgentChoice, BY_HAND, LANGUAGE, Plan, Requirement, TRANSFER, TriageReason},
    time::UnixMillis,
};

/// A decision and what was in force when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    /// Who was chosen; `None` when the ticket waits.
    pub(crate) agent: Option<&'a AgentId>,
    /// Who was considered.
    pub(crate) decision: &'a Decision,
    /// What routing looked for.
    pub(crate) plan: &'a Plan,
    /// Version of the model or the rules that read the ticket; empty when nobody had.
    pub(crate) model: &'a str,
    /// What ordered the eligible agents.
    pub(crate) choice: AgentChoice,
}

/// Returns the whole decision in a few sentences.
pub(crate) fn decision(case: Case<'_>) -> String {
    let Case { agent, decision, plan, model, choice } = case;
    let mut sentences = vec![match agent {
        Some(agent) => why(agent, decision, Some(plan), choice),
        None => waits(decision, plan),
    }];
    sentences.extend(not_eligible(&decision.exclusions));
    sentences.push(waited(decision));
    sentences.push(planned(plan));
    if plan.hard {
        sentences.push("It counts as hard on people: angry, urgent or long.".to_owned());
    }
    if plan.around_the_clock && plan.route != BY_HAND {
        sentences.push("It is offered at any hour.".to_owned());
    }
    if plan.fast_tracked() {
        let head_start = duration(u64::from(plan.head_start_secs) * 1000);
        sentences.push(format!("Moved ahead in the queue by {head_start}."));
    }
    if !model.is_empty() {
        sentences.push(format!("Read by {model}."));
    }
    sentences.join(" ")
}

fn waits(decision: &Decision, plan: &Plan) -> String {
    let excludes = |rule| decision.exclusions.iter().any(|exclusion| exclusion.rule == rule);
    if excludes(Rule::Closed) {
        return "Waiting: the workspace is closed at this hour.".to_owned();
    }
    let meant_for = match plan.route.as_str() {
        BY_HAND => Some("whom a supervisor named"),
        TRANSFER if excludes(Rule::NotTheTransferTarget) => Some("it was handed to"),
        _ if excludes(Rule::NotTheTransferTarget) => Some("it would like"),
        _ => None,
    };
    if let Some(meant_for) = meant_for {
        return format!("Waiting: the agent {meant_for} is not free right now.");
    }
    match skills(&decision.requirements) {
        Some(skills) => format!("Waiting: nobody with {skills} is free right now."),
        None => "Waiting: nobody is free right now.".to_owned(),
    }
}

/// Returns the skills needed as a list for people; `None` when none is.
fn skills(requirements: &[Requirement]) -> Option<String> {
    let name = |skill: &SkillId, proficiency_min| match proficiency_min {
        0 | 1 => skill.to_string(),
        level => format!("{skill} at level {level} or higher"),
    };
    let names = requirements.iter().map(|need| {
        let own = name(&need.skill, need.proficiency_min);
        let others = need.alternatives.iter();
        let others: Vec<_> =
            others.map(|other| name(&other.skill, other.proficiency_min)).collect();
        if others.is_empty() { own } else { format!("{own} (or {})", others.join(" or ")) }
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
        Rule::NotTheTransferTarget if one => "1 is not the agent it is for".to_owned(),
        Rule::NotTheTransferTarget => format!("{count} are not the agent it is for"),
        Rule::SkillMissing if one => format!("1 lacks {skill}"),
        Rule::SkillMissing => format!("{count} lack {skill}"),
        Rule::ProficiencyTooLow if one => format!("1 has {skill} at too low a level"),
        Rule::ProficiencyTooLow => format!("{count} have {skill} at too low a level"),
        Rule::NotAvailable if one => "1 is not available".to_owned(),
        Rule::NotAvailable => format!("{count} are not available"),
        Rule::OffShift if one => "1 is not on shift".to_owned(),
        Rule::OffShift => format!("{count} are not on shift"),
        Rule::Resting if one => "1 rests after much work".to_owned(),
        Rule::Resting => format!("{count} rest after much work"),
        Rule::Closed if one => "1 works outside business hours".to_owned(),
        Rule::Closed => format!("{count} work outside business hours"),
        Rule::NoCapacity if one => "1 has no room for another ticket".to_owned(),
        Rule::NoCapacity => format!("{count} have no room for another ticket"),
        Rule::DeclinedRecently => format!("{count} passed on it a short while ago"),
    }
}

/// Returns what would have led elsewhere, in one sentence.
pub(crate) fn counterfactual(counterfactual: &Counterfactual) -> String {
    let change = match counterfactual {
        Counterfactual::Sentence(sentence) => return sentence.clone(),
        Counterfactual::Change(change) => change,
    };
    match change {
        Change::WithoutTheFirst { agent } => {
            format!("Without the first choice, {agent} would have been asked.")
        }
        Change::Relaxed { agent, requirements, at } => {
            let needs = skills(requirements).unwrap_or_else(|| "any skill".to_owned());
            let when = at.map_or(String::new(), |at| format!(" at {}", clock(at)));
            format!("With needs relaxed to {needs}, as they are{when}, {agent} would be asked.")
        }
        Change::WithoutRule { agent, rule, skill } => {
            let skill = skill.as_ref().map_or_else(|| "the skill".into(), ToString::to_string);
            let condition = match rule {
                Rule::NotTheTransferTarget => "Open to everybody",
                Rule::SkillMissing => &format!("With {skill}"),
                Rule::ProficiencyTooLow => &format!("With the needed level in {skill}"),
                Rule::NotAvailable => "If available",
                Rule::OffShift => "On shift",
                Rule::Resting => "Rested",
                Rule::Closed => "In business hours",
                Rule::NoCapacity => "With room for one more ticket",
                Rule::DeclinedRecently => "Had nobody passed on it",
            };
            format!("{condition}, {agent} would have been eligible.")
        }
    }
}

/// Returns the time of day in UTC.
fn clock(at: UnixMillis) -> String {
    let minutes = at.0.div_euclid(60_000).rem_euclid(24 * 60);
    format!("{:02}:{:02} UTC", minutes / 60, minutes % 60)
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
        None => match (plan.route.as_str(), &plan.overflowed) {
            (BY_HAND, _) => format!("A supervisor gave it to an agent (policy {version})."),
            (TRANSFER, _) => format!("An agent handed it on (policy {version})."),
            (LANGUAGE, _) => format!("Planned by its language alone (policy {version})."),
            (route, None) => format!("Planned by route `{route}` of policy {version}."),
            (route, Some(full)) => format!(
                "Route `{full}` was full, so it was planned by its overflow `{route}` of policy \
                 {version}."
            ),
        },
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
mod tests;
