//! What several methods look up: declared names, desks, reasons of offers.

use std::collections::BTreeSet;

use super::{convert, error::Error, explain, validate::Declared};
use crate::{
    api::v1,
    app::{self, Handle, OfferView, Page, PageRequest},
    domain::{
        event::Event,
        id::{AgentId, SkillId, WorkspaceId},
        limits::PAGE_SIZE_MAX,
    },
};

/// Returns the skills a workspace declares.
pub(crate) async fn skills(
    handle: &Handle,
    workspace: &WorkspaceId,
) -> Result<BTreeSet<SkillId>, Error> {
    let pages = all(|page| handle.skills(workspace, page)).await?;
    Ok(pages.into_iter().map(|(skill, _)| skill).collect())
}

/// Returns the skills that at least one agent of the workspace has.
pub(crate) async fn held_skills(
    handle: &Handle,
    workspace: &WorkspaceId,
) -> Result<BTreeSet<SkillId>, Error> {
    let agents = all(|page| handle.agents(workspace, page)).await?;
    Ok(agents.into_iter().flat_map(|agent| agent.profile.skills.into_keys()).collect())
}

/// Returns what tickets of a workspace may name; skills only if `with_skills`.
pub(crate) async fn declared(
    handle: &Handle,
    workspace: &WorkspaceId,
    with_skills: bool,
) -> Result<Declared, Error> {
    let settings = handle.settings(workspace)?;
    let skills = if with_skills { skills(handle, workspace).await? } else { BTreeSet::new() };
    Ok(Declared { segment_attributes: settings.segment_attributes.clone(), skills })
}

/// Returns all items of a list, page by page. Only for lists with a limit.
async fn all<T, F>(list: impl Fn(PageRequest) -> F) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<Page<T>, app::Error>>,
{
    let mut items = Vec::new();
    let mut token = String::new();
    loop {
        let page = list(PageRequest { size: PAGE_SIZE_MAX, token }).await?;
        items.extend(page.items);
        if page.next.is_empty() {
            return Ok(items);
        }
        token = page.next;
    }
}

/// Returns an agent's desk as the API shows it.
pub(crate) async fn desk(
    handle: &Handle,
    workspace: &WorkspaceId,
    agent: &AgentId,
) -> Result<v1::Desk, Error> {
    let mut view = handle.desk(workspace, agent).await?;
    let mut offers = Vec::new();
    for offer in std::mem::take(&mut view.offers) {
        let why = why(handle, workspace, agent, &offer).await?;
        offers.push(convert::offer(offer, why));
    }
    Ok(convert::desk(view, offers))
}

async fn why(
    handle: &Handle,
    workspace: &WorkspaceId,
    agent: &AgentId,
    offer: &OfferView,
) -> Result<String, Error> {
    let view = handle.decision(workspace, offer.decision).await?;
    match view.entry.event {
        Event::OfferMade { decision, .. } => {
            Ok(explain::why(agent, &decision, Some(&view.plan), view.choice))
        }
        _ => Ok(String::new()),
    }
}
