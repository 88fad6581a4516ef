//! Agents and their desks.

use super::{calendar::calendar, ticket, timestamp};
use crate::{
    api::v1,
    app::{AgentView, DeskView, OfferView},
    domain::agent::{AgentProfile, Presence},
};

/// Returns presence as the API shows it.
pub(crate) fn presence(presence: Presence) -> v1::Presence {
    match presence {
        Presence::Available => v1::Presence::Available,
        Presence::Busy => v1::Presence::Busy,
        Presence::Away => v1::Presence::Away,
        Presence::Offline => v1::Presence::Offline,
    }
}

/// Returns the agent as the API shows one.
pub(crate) fn agent(view: AgentView) -> v1::Agent {
    v1::Agent {
        profile: Some(profile(view.profile)),
        presence: presence(view.presence).into(),
        used_units: view.used_units,
        idle_ms: view.idle_ms,
        version: view.version,
        on_shift: view.on_shift,
        rest_end_time: view.rests_until.map(timestamp),
    }
}

fn profile(profile: AgentProfile) -> v1::AgentProfile {
    v1::AgentProfile {
        agent_id: profile.agent.into(),
        display_name: profile.display_name,
        skills: profile
            .skills
            .into_iter()
            .map(|(skill, proficiency)| v1::AgentSkill {
                skill_id: skill.into(),
                proficiency: proficiency.into(),
            })
            .collect(),
        capacity_units: profile.capacity_units,
        channels: profile
            .channel_units
            .into_iter()
            .map(|(channel, cost_units)| v1::ChannelCapacity { channel, cost_units })
            .collect(),
        speed: profile.speed,
        shifts: profile.shifts.as_ref().map(calendar),
    }
}

/// Returns an offer as the API shows it; `why` says why this agent.
pub(crate) fn offer(view: OfferView, why: String) -> v1::Offer {
    v1::Offer {
        offer_id: view.offer.to_string(),
        ticket: Some(ticket(view.ticket)),
        epoch: view.offer.epoch,
        expire_time: Some(timestamp(view.expires_at)),
        why,
    }
}

/// Returns the desk as the API shows it; `offers` are its offers, each with its reason.
pub(crate) fn desk(view: DeskView, offers: Vec<v1::Offer>) -> v1::Desk {
    v1::Desk {
        presence: presence(view.presence).into(),
        lease_expire_time: view.lease_until.map(timestamp),
        offers,
        assignments: view.assignments.into_iter().map(ticket).collect(),
        sequence: view.sequence,
    }
}
