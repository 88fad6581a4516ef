//! Draws that depend on who is asked for what, and on nothing else.
//!
//! Both runs of a backtest, and the same run again, draw the same for the same ticket, agent and number
//! of the offer, whatever happened before: what differs between the runs is the policy.

use crate::domain::id::{AgentId, OfferId};

/// What can be drawn for one offer to one agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Luck(u64);

impl Luck {
    /// Returns the luck of an offer.
    pub(super) fn of(seed: u64, offer: &OfferId, agent: &AgentId) -> Self {
        let ticket = offer.ticket.as_str().bytes();
        let agent = agent.as_str().bytes();
        let epoch = offer.epoch.to_le_bytes();
        // 0 is in no identifier: it keeps names apart.
        let bytes = ticket.chain([0]).chain(agent).chain([0]).chain(epoch);
        Self(bytes.fold(mixed(seed), fold))
    }

    /// Draws a whole number below `count`, which is at least 1, for a purpose.
    pub(super) fn below(self, purpose: &str, count: u64) -> u64 {
        let drawn = mixed(purpose.bytes().fold(self.0, fold));
        // The high half of a product of 128 bits is as even as the draw.
        let scaled = (u128::from(drawn) * u128::from(count)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }
}

/// One step of FNV-1a: G. Fowler, L. C. Noll, K.-P. Vo.
fn fold(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
}

/// The last step of SplitMix64: G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::TicketId;

    fn luck(seed: u64, ticket: usize, agent: &str, epoch: u32) -> Luck {
        let ticket = TicketId::new(format!("t{ticket}")).unwrap();
        Luck::of(seed, &OfferId { ticket, epoch }, &AgentId::new(agent).unwrap())
    }

    #[test]
    fn draws_are_even_and_differ_by_all_they_depend_on() {
        let mut counts = [0_u32; 10];
        for ticket in 0..20_000 {
            counts[usize::try_from(luck(7, ticket, "ana", 1).below("answer", 10)).unwrap()] += 1;
        }
        // Each count has mean 2,000 and standard deviation 42.
        assert!(counts.iter().all(|count| (1_800..2_200).contains(count)), "{counts:?}");
        let one = luck(7, 1, "ana", 1).below("answer", u64::MAX);
        assert_eq!(one, luck(7, 1, "ana", 1).below("answer", u64::MAX));
        let others = [luck(8, 1, "ana", 1), luck(7, 2, "ana", 1), luck(7, 1, "bo", 1)];
        for other in others.into_iter().chain([luck(7, 1, "ana", 2)]) {
            assert_ne!(one, other.below("answer", u64::MAX));
        }
        assert_ne!(one, luck(7, 1, "ana", 1).below("delay", u64::MAX));
    }
}
