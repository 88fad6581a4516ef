//! Everything the API says of a folder, as bytes by name, so that any difference shows.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use tonic::{Code, Status, transport::Channel};

use crate::{
    api::v1::{
        self, admin_service_client::AdminServiceClient,
        insight_service_client::InsightServiceClient, ticket_service_client::TicketServiceClient,
    },
    book::{Acknowledged, DEFAULT_WORKSPACE},
    client::{by, new_ticket},
    reading,
};

/// Tickets whose entries are read at once.
const WATCHES_AT_ONCE: usize = 16;

/// What the API says, by what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Picture(BTreeMap<String, Vec<u8>>);

impl Picture {
    /// Reads everything.
    pub(super) async fn take(channel: &Channel) -> Result<Self, Status> {
        let mut picture = Self::default();
        picture.settings(channel).await?;
        let tickets = reading::tickets(channel, DEFAULT_WORKSPACE).await?;
        let read = stream::iter(&tickets)
            .map(|ticket| reading::messages_of(channel, DEFAULT_WORKSPACE, ticket));
        let messages: Vec<_> = read.buffered(WATCHES_AT_ONCE).try_collect().await?;
        for (ticket, messages) in tickets.iter().zip(messages) {
            let id = &ticket.ticket_id;
            picture.add(format!("ticket {id}"), ticket);
            for (number, message) in messages.iter().enumerate() {
                picture.add(format!("entry {id} {number}"), message);
            }
        }
        for decision in reading::records(channel, DEFAULT_WORKSPACE).await? {
            picture.add(format!("decision {}", decision.sequence), &decision);
        }
        Ok(picture)
    }

    async fn settings(&mut self, channel: &Channel) -> Result<(), Status> {
        let mut admin = AdminServiceClient::new(channel.clone());
        let mut workspace = admin.get_workspace(v1::GetWorkspaceRequest::default()).await?;
        self.add("workspace".to_owned(), workspace.get_mut());
        let policy = admin.get_policy(v1::GetPolicyRequest::default()).await?;
        self.add("policy".to_owned(), policy.get_ref());
        let list = v1::ListSkillsRequest { page_size: 500, ..Default::default() };
        let skills = admin.list_skills(list).await?;
        self.add("skills".to_owned(), skills.get_ref());
        let list = v1::ListAgentsRequest { page_size: 500, ..Default::default() };
        for agent in admin.list_agents(list).await?.into_inner().agents {
            let profile = agent.profile.unwrap_or_default();
            self.add(format!("agent {}", profile.agent_id), &profile);
        }
        let mut insight = InsightServiceClient::new(channel.clone());
        let get = v1::GetServiceMeasuresRequest::default();
        let measures = insight.get_service_measures(get).await?.into_inner();
        self.add("statuses".to_owned(), &measures.statuses.unwrap_or_default());
        for mut load in measures.agents {
            // Time goes on.
            load.idle_ms = 0;
            self.add(format!("load {}", load.agent_id), &load);
        }
        Ok(())
    }

    fn add(&mut self, name: String, message: &impl Message) {
        self.0.insert(name, message.encode_to_vec());
    }

    /// Returns what another picture has otherwise, has not, or has beside this one: how many of each
    /// kind, and one of them.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        let mut note = |name, what| {
            let name: &str = name;
            let kind = name.split(' ').next().unwrap_or_default();
            found.entry((kind, what)).or_default().push(name);
        };
        for (name, bytes) in &self.0 {
            match other.0.get(name) {
                Some(same) if same == bytes => {}
                Some(_) => note(name, "different"),
                None => note(name, "missing"),
            }
        }
        other
            .0
            .keys()
            .filter(|name| !self.0.contains_key(*name))
            .for_each(|name| note(name, "new"));
        let told = |((kind, what), names): (_, Vec<&str>)| {
            let first = names.first().copied().unwrap_or_default();
            format!("{kind}: {} {what}, for example {first}", names.len())
        };
        found.into_iter().map(told).collect()
    }
}

/// Sends a key again; says if it does not lead to its ticket.
pub(super) async fn remembers(
    channel: &Channel,
    known: &Acknowledged,
) -> Result<Option<String>, Status> {
    let submit = v1::SubmitTicketRequest {
        ticket: Some(new_ticket(&known.key, &known.body)),
        idempotency_key: known.key.clone(),
        wait_for_reading: false,
    };
    let mut client = TicketServiceClient::new(channel.clone());
    match client.submit_ticket(by("shop", submit)).await {
        Ok(answer) => {
            let ticket = answer.into_inner().ticket.unwrap_or_default().ticket_id;
            let other = ticket != known.ticket;
            Ok(other.then(|| format!("key {} led to {}, now {ticket}", known.key, known.ticket)))
        }
        Err(status) if status.code() == Code::AlreadyExists => {
            Ok(Some(format!("key {} is refused", known.key)))
        }
        Err(status) => Err(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(parts: &[(&str, u8)]) -> Picture {
        Picture(parts.iter().map(|(name, byte)| ((*name).to_owned(), vec![*byte])).collect())
    }

    #[test]
    fn what_is_different_missing_or_new_is_told_by_its_kind() {
        let one = picture(&[("entry a", 1), ("ticket a", 1), ("ticket b", 1)]);
        let other = picture(&[("entry a", 1), ("ticket a", 2), ("ticket c", 1)]);
        let told = one.differences(&other);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.contains(&"ticket: 1 missing, for example ticket b".to_owned()));
        assert_eq!(one.differences(&one), Vec::<String>::new());
    }
}
