//! Tickets.

use super::{
    policy::{requirements, skill_levels},
    reading, timestamp, triage_reason,
};
use crate::{
    api::v1,
    app::TicketView,
    domain::{
        policy::{Plan, Requirement},
        ticket::{Outcome, Resolution, Status},
    },
    routing::Estimate,
};

/// Returns the ticket as the API shows it.
pub(crate) fn ticket(view: TicketView) -> v1::Ticket {
    let plan = view.plan.map(|plan| routing_plan(plan, &view.requirements, view.relaxation_step));
    v1::Ticket {
        ticket_id: view.ticket.into(),
        status: status(view.status).into(),
        channel: view.intake.channel,
        subject: view.payload.subject,
        body: view.payload.body,
        customer: view.payload.customer,
        segments: view.payload.segments,
        attributes: view.intake.attributes,
        reading: view.reading.map(reading),
        plan,
        agent_id: view.agent.map(String::from).unwrap_or_default(),
        offer_epoch: view.epoch,
        outcome: view.outcome.map(outcome),
        received_time: Some(timestamp(view.received_at)),
        assigned_time: view.assigned_at.map(timestamp),
        closed_time: view.closed_at.map(timestamp),
        sequence: view.sequence,
        preferred_agent_id: view.intake.preferred_agent.map(String::from).unwrap_or_default(),
        wait_estimate: None,
    }
}

/// Returns how long a ticket may still wait, as the API shows it.
pub(crate) fn wait_estimate(estimate: Estimate) -> v1::WaitEstimate {
    v1::WaitEstimate {
        tickets_ahead: u32::try_from(estimate.ahead).unwrap_or(u32::MAX),
        wait_ms: estimate.wait_ms,
    }
}

/// Returns what routing looks for, as the API shows it: the requirements as they are now.
pub(super) fn routing_plan(
    plan: Plan,
    requirements_now: &[Requirement],
    relaxation_step: u32,
) -> v1::RoutingPlan {
    v1::RoutingPlan {
        policy_version: plan.policy_version,
        fast_tracked: plan.fast_tracked(),
        triage_reason: triage_reason(plan.triage).into(),
        route: plan.route,
        requirements: requirements(requirements_now),
        head_start_secs: plan.head_start_secs,
        relaxation_step,
        target_secs: plan.target_secs.unwrap_or(0),
        preferred: skill_levels(&plan.preferred),
        around_the_clock: plan.around_the_clock,
        overflowed_route: plan.overflowed.unwrap_or_default(),
        hard: plan.hard,
    }
}

/// Returns where a ticket stands, as the API shows it.
pub(crate) fn status(status: Status) -> v1::TicketStatus {
    match status {
        Status::Received => v1::TicketStatus::Received,
        Status::Queued => v1::TicketStatus::Queued,
        Status::Offered => v1::TicketStatus::Offered,
        Status::Assigned => v1::TicketStatus::Assigned,
        Status::Completed => v1::TicketStatus::Completed,
        Status::Cancelled => v1::TicketStatus::Cancelled,
    }
}

fn outcome(outcome: Outcome) -> v1::Outcome {
    let resolution = match outcome.resolution {
        Resolution::FirstContact => v1::Resolution::FirstContact,
        Resolution::Resolved => v1::Resolution::Resolved,
        Resolution::Escalated => v1::Resolution::Escalated,
        Resolution::WrongIntent => v1::Resolution::WrongIntent,
    };
    v1::Outcome {
        resolution: resolution.into(),
        right_intent: outcome.right_intent.unwrap_or_default(),
        satisfaction: outcome.satisfaction.map(u32::from).unwrap_or(0),
    }
}
