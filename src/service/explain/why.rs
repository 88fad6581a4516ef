//! Why this agent was asked: what really came first among those who could take the ticket.

use super::{duration, skills};
use crate::domain::{
    decision::{Candidate, Decision},
    id::AgentId,
    policy::{AgentChoice, BY_HAND, Plan},
};

/// Returns why this agent, in one sentence.
pub(crate) fn why(
    agent: &AgentId,
    decision: &Decision,
    plan: Option<&Plan>,
    choice: AgentChoice,
) -> String {
    let has = skills(&decision.requirements).map(|skills| format!("has {skills}"));
    let first = if plan.is_some_and(|plan| plan.route == BY_HAND) {
        "was named by a supervisor".to_owned()
    } else {
        let prefers = plan.is_some_and(|plan| !plan.preferred.is_empty());
        came_first(decision, prefers, choice)
    };
    format!(
        "Offered to {agent}: {}.",
        has.into_iter().chain([first]).collect::<Vec<_>>().join(", and ")
    )
}

/// Says why the first candidate came first. What is looked at first is said, not what broke a tie.
fn came_first(decision: &Decision, prefers: bool, choice: AgentChoice) -> String {
    let count = decision.eligible_count;
    let [first, others @ ..] = &decision.candidates[..] else {
        return match count {
            0 | 1 => "is the only eligible agent".to_owned(),
            count => format!("comes first of {count} eligible agents"),
        };
    };
    if count <= 1 {
        return match first.declines {
            0 => "is the only eligible agent".to_owned(),
            _ => "is the only eligible agent, asked again".to_owned(),
        };
    }
    if let Some(cost) = first.cost {
        return format!(
            "was matched together with other tickets and agents, at the least cost in all (skill fit \
             {}, evenness {}, less the waiting saved {})",
            cost.skill_fit, cost.equity, cost.waiting_saved
        );
    }
    if first.declines > 0 {
        return format!("is asked again, as all {count} eligible agents passed on it before");
    }
    let second = others.first();
    if second.is_some_and(|second| second.declines > 0) {
        return format!("is the only one of {count} eligible agents who has not passed on it");
    }
    let fresh = decision.candidates.iter().filter(|candidate| candidate.declines == 0).count();
    let among = if fresh < decision.candidates.len() {
        format!("{fresh} eligible agents who have not passed on it")
    } else {
        format!("{count} eligible agents")
    };
    if let Some((hard, taken)) = second.and_then(|second| smaller_share(first, second)) {
        return format!(
            "has had the smallest share of hard tickets ({hard} of {taken}) of those next in line"
        );
    }
    let lacks_less =
        second.is_some_and(|second| first.preferred_missing < second.preferred_missing);
    match (prefers, lacks_less, first.preferred_missing) {
        (true, true, 0) => format!("is the only one of {among} with the preferred skills"),
        (true, true, _) => format!("comes closest of {among} to the preferred skills"),
        (true, false, _) => {
            let those = "the eligible agents closest to the preferred skills";
            format!("{} {those}", by_choice(choice, first))
        }
        (false, ..) => format!("{} {among}", by_choice(choice, first)),
    }
}

/// Returns what the policy looks at, up to the "of" before those it was compared with.
fn by_choice(choice: AgentChoice, first: &Candidate) -> String {
    match choice {
        AgentChoice::LongestCumulativeIdle => {
            format!("has the longest idle time ({}) of", duration(first.idle_ms))
        }
        AgentChoice::LongestIdle => "has waited longest since the last ticket of".to_owned(),
        AgentChoice::Fastest => "has the greatest declared speed of".to_owned(),
        AgentChoice::Random => "was drawn at random from".to_owned(),
        AgentChoice::FewestTickets => "has taken the fewest tickets of".to_owned(),
        AgentChoice::MostProficient => {
            format!("has the most proficiency to spare ({}) of", first.proficiency_surplus)
        }
    }
}

/// Returns the share of hard tickets of the first, if it is smaller than that of the second.
fn smaller_share(first: &Candidate, second: &Candidate) -> Option<(u64, u64)> {
    let (mine, theirs) = (first.hard_share?, second.hard_share?);
    let scaled =
        |share: (u64, u64), other: (u64, u64)| u128::from(share.0) * u128::from(other.1.max(1));
    (scaled(mine, theirs) < scaled(theirs, mine)).then_some(mine)
}
