//! Open tickets. Who holds one is written with the agent; where it is entered follows.

use super::{
    read::{Read, Reader},
    write::Writer,
};
use crate::{
    domain::{
        id::{AgentId, TicketId},
        limits::DECLINERS_KEPT_MAX,
        ticket::Status,
        time::UnixMillis,
    },
    routing::tickets::{Declined, Links, OpenTicket},
};

/// In the order of their numbers; a closed ticket is not written.
const STATUSES: [Status; 4] = [Status::Received, Status::Queued, Status::Offered, Status::Assigned];
/// Where an identifier of the service's own form has its hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Fewest bytes of a ticket: one for each part.
pub(super) const TICKET_BYTES_MIN: usize = 11;

impl<'a> Writer<'a> {
    /// Writes a ticket after one that was received at `before`: most come soon after each other.
    pub(super) fn ticket(&mut self, open: &'a OpenTicket, before: UnixMillis) {
        let OpenTicket {
            ticket,
            intake,
            received_at,
            status,
            reading,
            plan,
            relaxation_step,
            epoch,
            offer_expires_at,
            assigned_at,
            number,
            holder: _,
            target,
            waits_for_liked,
            given_intent,
            declined,
            plan_is_stale,
            planned_at,
            links: _,
        } = open;
        self.ticket_id(ticket);
        self.one_of(&STATUSES, status);
        self.flags([
            reading.is_some(),
            plan.is_some(),
            offer_expires_at.is_some(),
            assigned_at.is_some(),
            target.is_some(),
            given_intent.is_some(),
            *waits_for_liked,
            *plan_is_stale,
        ]);
        self.since(*received_at, before);
        self.since(*planned_at, *received_at);
        self.u64(*number);
        self.intake(intake);
        reading.iter().for_each(|reading| self.reading(reading));
        plan.iter().for_each(|plan| self.plan(plan));
        offer_expires_at.iter().for_each(|at| self.since(*at, *received_at));
        assigned_at.iter().for_each(|at| self.since(*at, *received_at));
        target.iter().for_each(|agent| self.known(agent.as_str()));
        given_intent.iter().for_each(|intent| self.known(intent));
        self.u32(*relaxation_step);
        self.u32(*epoch);
        self.len(declined.len());
        for Declined { agent, until, times } in declined {
            self.known(agent.as_str());
            self.maybe_time(*until);
            self.u32(*times);
        }
    }

    fn since(&mut self, at: UnixMillis, before: UnixMillis) {
        self.i64(at.0.wrapping_sub(before.0));
    }

    /// Writes an identifier; one of the service's own form takes less than half.
    pub(super) fn ticket_id(&mut self, id: &TicketId) {
        match packed(id.as_str()) {
            Some(packed) => {
                self.len(0);
                self.bytes.extend(packed);
            }
            None => self.text(id.as_str()),
        }
    }
}

impl Reader<'_> {
    pub(super) fn ticket(&mut self, before: UnixMillis) -> Read<OpenTicket> {
        let ticket = self.ticket_id()?;
        let status = self.one_of(&STATUSES)?;
        let [read, planned, offered, assigned, targeted, given, waits_for_liked, plan_is_stale] =
            self.flags()?;
        let received_at = self.since(before)?;
        let planned_at = self.since(received_at)?;
        let number = self.count()?;
        let open = OpenTicket {
            ticket,
            intake: self.intake()?,
            received_at,
            status,
            reading: self.when(read, |r| Ok(r.reading()?.into()))?,
            plan: self.when(planned, Self::plan)?,
            offer_expires_at: self.when(offered, |r| r.since(received_at))?,
            assigned_at: self.when(assigned, |r| r.since(received_at))?,
            number,
            holder: None,
            target: self.when(targeted, Self::agent_id)?,
            waits_for_liked,
            given_intent: self.when(given, Self::known)?,
            relaxation_step: self.small_count()?,
            epoch: self.small_count()?,
            declined: self.list(3, Self::declined)?,
            plan_is_stale,
            planned_at,
            links: Links::default(),
        };
        let is_whole = (status == Status::Received) == open.plan.is_none()
            && (status == Status::Offered) == open.offer_expires_at.is_some()
            && open.declined.len() <= DECLINERS_KEPT_MAX;
        if is_whole { Ok(open) } else { Err(self.no("a ticket of this status")) }
    }

    fn declined(&mut self) -> Read<Declined> {
        let (agent, until): (AgentId, _) = (self.agent_id()?, self.maybe_time()?);
        Ok(Declined { agent, until, times: self.small_count()? })
    }

    fn when<T>(
        &mut self,
        is_there: bool,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<Option<T>> {
        if is_there { read(self).map(Some) } else { Ok(None) }
    }

    fn since(&mut self, before: UnixMillis) -> Read<UnixMillis> {
        let millis = self.i64()?;
        self.as_time(before.0.wrapping_add(millis))
    }

    pub(super) fn ticket_id(&mut self) -> Read<TicketId> {
        let text = self.text()?;
        let id = if text.is_empty() {
            TicketId::new(unpacked(self.take(16)?))
        } else {
            TicketId::new(text)
        };
        self.some(id.ok(), "a ticket's identifier")
    }
}

/// Returns the 16 bytes of an identifier as `0190f3c8-7a1b-7def-8123-456789abcdef`; `None` for others.
fn packed(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let mut packed = [0; 16];
    let mut digits = 0;
    for (at, byte) in text.iter().enumerate() {
        if HYPHENS.contains(&at) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        let pair: &mut u8 = packed.get_mut(digits / 2)?;
        *pair = (*pair << 4) | digit;
        digits += 1;
    }
    Some(packed)
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for byte in bytes {
        if HYPHENS.contains(&text.len()) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}
