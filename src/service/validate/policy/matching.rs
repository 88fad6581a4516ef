//! Who is asked for which ticket, and in which order.

use crate::{
    api::v1,
    domain::{
        limits,
        policy::{AgentChoice, OccupancyCeiling, TicketOrder},
    },
    service::validate::Check,
};

/// Takes the order of tickets and the weights of age that go with it; unspecified means the default.
pub(super) fn ticket_order(check: &mut Check, given: &v1::Policy) -> TicketOrder {
    let order = match v1::TicketOrder::try_from(given.ticket_order) {
        Ok(v1::TicketOrder::Ageing) => {
            return TicketOrder::Ageing { weights_milli: ageing(check, given) };
        }
        Ok(v1::TicketOrder::Unspecified | v1::TicketOrder::HeadStart) => TicketOrder::HeadStart,
        Ok(v1::TicketOrder::Strict) => TicketOrder::Strict,
        Err(_) => {
            check.reject("policy.ticket_order", "must be HEAD_START, STRICT or AGEING");
            TicketOrder::default()
        }
    };
    let count = given.ageing_weights_milli.len();
    if count > 0 {
        let allowed = "must be empty unless `ticket_order` is AGEING";
        check.reject("policy.ageing_weights_milli", format!("{allowed}, has {count} entries"));
    }
    order
}

fn ageing(check: &mut Check, given: &v1::Policy) -> Vec<u32> {
    let (field, most) = ("policy.ageing_weights_milli", limits::AGEING_WEIGHTS_MAX);
    let weights = &given.ageing_weights_milli;
    if !(1..=most).contains(&weights.len()) {
        let count = weights.len();
        let allowed = format!("must have 1 to {most} entries with the order AGEING, has {count}");
        check.reject(field, allowed);
        return Vec::new();
    }
    let weights = weights.iter().enumerate().map(|(index, weight)| {
        let field = format!("{field}[{index}]");
        check.range(&field, *weight, 1..=limits::AGEING_WEIGHT_MILLI_MAX)
    });
    weights.collect()
}

/// Takes who is asked first; unspecified means the default.
pub(super) fn agent_choice(check: &mut Check, given: i32) -> AgentChoice {
    match v1::AgentChoice::try_from(given) {
        Ok(v1::AgentChoice::Unspecified | v1::AgentChoice::LongestCumulativeIdle) => {
            AgentChoice::LongestCumulativeIdle
        }
        Ok(v1::AgentChoice::LongestIdle) => AgentChoice::LongestIdle,
        Ok(v1::AgentChoice::Fastest) => AgentChoice::Fastest,
        Ok(v1::AgentChoice::Random) => AgentChoice::Random,
        Ok(v1::AgentChoice::FewestTickets) => AgentChoice::FewestTickets,
        Ok(v1::AgentChoice::MostProficient) => AgentChoice::MostProficient,
        Err(_) => {
            let allowed = "must be LONGEST_CUMULATIVE_IDLE, LONGEST_IDLE, FASTEST, RANDOM, \
                           FEWEST_TICKETS or MOST_PROFICIENT";
            check.reject("policy.agent_choice", allowed);
            AgentChoice::default()
        }
    }
}

/// Takes the bound on occupancy; absent for none.
pub(super) fn occupancy_ceiling(
    check: &mut Check,
    given: Option<v1::OccupancyCeiling>,
) -> Option<OccupancyCeiling> {
    let given = given?;
    let field = "policy.occupancy_ceiling";
    let percents = limits::OCCUPANCY_PERCENT_MIN..=limits::OCCUPANCY_PERCENT_MAX;
    let bursts = limits::BURST_SECS_MIN..=limits::BURST_SECS_MAX;
    Some(OccupancyCeiling {
        percent: check.small(&format!("{field}.percent"), given.percent, percents),
        burst_secs: check.range(&format!("{field}.burst_secs"), given.burst_secs, bursts),
    })
}

/// Takes the channels whose tickets may be laid aside; each once.
pub(super) fn interruptible_channels(check: &mut Check, given: &[String]) -> Vec<String> {
    let field = "policy.interruptible_channels";
    let mut channels = Vec::new();
    if !check.count(field, given.len(), limits::INTERRUPTIBLE_CHANNELS_MAX) {
        return channels;
    }
    for (index, channel) in given.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let channel = check.text(&field, channel, 1..=limits::CHANNEL_CHARS_MAX);
        if channels.contains(&channel) {
            check.reject(&field, "must not repeat a channel of the same list");
        }
        channels.push(channel);
    }
    channels
}
