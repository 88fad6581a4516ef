//! Decision records.

use super::{policy::agent_choice, ticket::routing_plan, timestamp};
use crate::{
    api::v1,
    app::DecisionView,
    domain::{
        decision::{Candidate, Decision, Exclusion, PairCost, Rule},
        event::Event,
    },
    service::explain::{self, Case},
};

/// Returns the decision record as the API shows it; `None` for an entry that is no decision.
pub(crate) fn decision(view: DecisionView) -> Option<v1::DecisionRecord> {
    let DecisionView { entry, plan, model, choice } = view;
    let (kind, agent, offer, decision) = match entry.event {
        Event::OfferMade { offer, agent, decision, .. } => {
            (v1::DecisionKind::Offered, Some(agent), Ok(offer), decision)
        }
        Event::TicketQueued { ticket, decision } => {
            (v1::DecisionKind::Queued, None, Err(ticket), decision)
        }
        _ => return None,
    };
    let counterfactual = decision.counterfactual.as_ref().map(explain::counterfactual);
    let counterfactual = counterfactual.unwrap_or_default();
    let (asked, decided) = (agent.as_ref(), &*decision);
    let case = Case { agent: asked, decision: decided, plan: &plan, model: &model, choice };
    let explanation = explain::decision(case);
    let Decision { requirements, relaxation_step, candidates, exclusions, .. } = *decision;
    Some(v1::DecisionRecord {
        sequence: entry.sequence,
        decide_time: Some(timestamp(entry.at)),
        ticket_id: match &offer {
            Ok(offer) => offer.ticket.to_string(),
            Err(ticket) => ticket.to_string(),
        },
        kind: kind.into(),
        agent_id: agent.map(String::from).unwrap_or_default(),
        offer_id: offer.map(|offer| offer.to_string()).unwrap_or_default(),
        plan: Some(routing_plan(plan, &requirements, relaxation_step)),
        model,
        waited_ms: decision.waited_ms,
        eligible_count: decision.eligible_count,
        candidates: candidates.into_iter().map(candidate).collect(),
        exclusions: exclusions.into_iter().map(exclusion).collect(),
        counterfactual,
        explanation,
        agent_choice: agent_choice(choice).into(),
    })
}

fn candidate(candidate: Candidate) -> v1::Candidate {
    v1::Candidate {
        agent_id: candidate.agent.into(),
        idle_ms: candidate.idle_ms,
        proficiency_surplus: candidate.proficiency_surplus,
        preferred_missing: candidate.preferred_missing,
        declines: candidate.declines,
        hard_share: candidate.hard_share.map(hard_share),
        cost: candidate.cost.map(cost),
    }
}

fn hard_share((hard_count, accepted_count): (u64, u64)) -> v1::HardShare {
    v1::HardShare { hard_count, accepted_count }
}

fn cost(cost: PairCost) -> v1::PairCost {
    let PairCost { skill_fit, equity, waiting_saved } = cost;
    v1::PairCost { skill_fit, equity, waiting_saved }
}

fn exclusion(exclusion: Exclusion) -> v1::Exclusion {
    v1::Exclusion {
        rule: rule(exclusion.rule).into(),
        agent_count: exclusion.agent_count,
        agent_ids: exclusion.agents.into_iter().map(String::from).collect(),
        skill_id: exclusion.skill.map(String::from).unwrap_or_default(),
    }
}

fn rule(rule: Rule) -> v1::ExclusionRule {
    match rule {
        Rule::NotTheTransferTarget => v1::ExclusionRule::NotTheTransferTarget,
        Rule::SkillMissing => v1::ExclusionRule::SkillMissing,
        Rule::ProficiencyTooLow => v1::ExclusionRule::ProficiencyTooLow,
        Rule::NotAvailable => v1::ExclusionRule::NotAvailable,
        Rule::OffShift => v1::ExclusionRule::OffShift,
        Rule::Resting => v1::ExclusionRule::Resting,
        Rule::Closed => v1::ExclusionRule::Closed,
        Rule::NoCapacity => v1::ExclusionRule::NoCapacity,
        Rule::DeclinedRecently => v1::ExclusionRule::DeclinedRecently,
    }
}
