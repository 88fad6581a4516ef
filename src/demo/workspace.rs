//! Sets up the workspace: segments, a policy with the clock turned up, and the people.

use tonic::Status;

use super::{
    WORKSPACE,
    client::{Client, persist},
    team::{self, Person},
};
use crate::{api::v1, domain::limits};

/// How much faster than life the demo runs: a minute of the standard policy is a second here.
pub(super) const TIME_SCALE: u32 = 60;
/// Time to answer an offer, in seconds. Not scaled: the answers cross a real network stack.
const OFFER_TIMEOUT_SECS: u32 = 3;
/// How long a declined ticket keeps away from who declined it, in seconds.
const DECLINE_BACKOFF_SECS: u32 = 1;
/// Lease of presence after a lost connection, in seconds.
const PRESENCE_LEASE_SECS: u32 = 5;
/// How long an assignment waits for somebody who left, in seconds.
const ASSIGNMENT_RETURN_SECS: u32 = 10;
/// How long a ticket waits for the model, in milliseconds: long, so that the demo shows the model.
const READING_WAIT_MS: u32 = 60_000;

/// What the rest of the demo knows of the workspace, read back from the service.
pub(super) struct Workspace {
    /// The policy in force.
    pub(super) policy: v1::Policy,
    /// The people.
    pub(super) people: Vec<Person>,
    /// The model.
    pub(super) model: v1::GetModelResponse,
}

/// Makes the workspace and everything in it.
///
/// # Errors
/// The status of the call that failed.
pub(super) async fn set_up(
    client: &Client,
    segment_attributes: &[String],
) -> Result<Workspace, Status> {
    create(client, segment_attributes).await?;
    let policy = quicken(client).await?;
    let people = team::people(&declared_skills(client).await?, &policy);
    for person in &people {
        let request = v1::CreateAgentRequest {
            profile: Some(person.profile()),
            idempotency_key: format!("agent-{}", person.id),
        };
        persist(|| {
            let (mut admin, request) = (client.admin.clone(), request.clone());
            async move { admin.create_agent(request).await }
        })
        .await?;
    }
    let model = persist(|| {
        let mut model = client.model.clone();
        async move { model.get_model(v1::GetModelRequest {}).await }
    });
    Ok(Workspace { policy, people, model: model.await? })
}

async fn create(client: &Client, segment_attributes: &[String]) -> Result<(), Status> {
    let workspace = v1::Workspace {
        workspace_id: WORKSPACE.to_owned(),
        display_name: "Evenhand demo".to_owned(),
        segment_attributes: segment_attributes.to_vec(),
        ..v1::Workspace::default()
    };
    let request = v1::CreateWorkspaceRequest {
        workspace: Some(workspace),
        idempotency_key: "workspace".to_owned(),
    };
    persist(|| {
        let (mut admin, request) = (client.admin.clone(), request.clone());
        async move { admin.create_workspace(request).await }
    })
    .await?;
    Ok(())
}

/// Turns up the clock of the standard policy.
async fn quicken(client: &Client) -> Result<v1::Policy, Status> {
    let standard = persist(|| {
        let mut admin = client.admin.clone();
        async move { admin.get_policy(v1::GetPolicyRequest { version: 0 }).await }
    });
    let standard = standard.await?.policy.unwrap_or_default();
    let request = v1::SetPolicyRequest {
        expected_version: standard.version,
        policy: Some(quickened(standard)),
        idempotency_key: "policy".to_owned(),
    };
    let set = persist(|| {
        let (mut admin, request) = (client.admin.clone(), request.clone());
        async move { admin.set_policy(request).await }
    });
    Ok(set.await?.policy.unwrap_or_default())
}

fn quickened(mut policy: v1::Policy) -> v1::Policy {
    for route in &mut policy.routes {
        route.head_start_secs = quicker(route.head_start_secs);
        route.target_secs = quicker(route.target_secs);
    }
    if let Some(head_starts) = &mut policy.urgency_head_starts {
        head_starts.low_secs = quicker(head_starts.low_secs);
        head_starts.normal_secs = quicker(head_starts.normal_secs);
        head_starts.high_secs = quicker(head_starts.high_secs);
        head_starts.critical_secs = quicker(head_starts.critical_secs);
    }
    let mut earliest = 1;
    for step in &mut policy.relaxation {
        step.after_secs = quicker(step.after_secs).max(earliest);
        earliest = step.after_secs + 1;
    }
    v1::Policy {
        priority_point_secs: quicker(policy.priority_point_secs),
        triage_after_secs: quicker(policy.triage_after_secs),
        offer_timeout_secs: OFFER_TIMEOUT_SECS,
        decline_backoff_secs: DECLINE_BACKOFF_SECS,
        presence_lease_secs: PRESENCE_LEASE_SECS,
        wrap_up_secs: 0,
        assignment_return_secs: ASSIGNMENT_RETURN_SECS,
        reading_wait_ms: READING_WAIT_MS,
        ..policy
    }
}

/// Returns a scaled time; one that is on stays on.
fn quicker(secs: u32) -> u32 {
    secs.div_ceil(TIME_SCALE)
}

async fn declared_skills(client: &Client) -> Result<Vec<String>, Status> {
    let mut skills = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListSkillsRequest { page_size: limits::PAGE_SIZE_MAX, page_token };
        let page = persist(|| {
            let (mut admin, request) = (client.admin.clone(), request.clone());
            async move { admin.list_skills(request).await }
        });
        let page = page.await?;
        skills.extend(page.skills.into_iter().map(|skill| skill.skill_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(skills);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_policy_keeps_what_is_on_and_what_is_off() {
        let step = |after_secs| v1::RelaxationStep { after_secs, ..Default::default() };
        let standard = v1::Policy {
            triage_after_secs: 600,
            priority_point_secs: 0,
            relaxation: vec![step(2), step(5), step(1800)],
            urgency_head_starts: Some(v1::UrgencyHeadStarts {
                high_secs: 300,
                critical_secs: 900,
                ..Default::default()
            }),
            ..Default::default()
        };
        let quick = quickened(standard);
        assert_eq!(quick.triage_after_secs, 10);
        assert_eq!(quick.priority_point_secs, 0);
        let steps: Vec<u32> = quick.relaxation.iter().map(|step| step.after_secs).collect();
        assert_eq!(steps, [1, 2, 30]);
        let head_starts = quick.urgency_head_starts.unwrap();
        assert_eq!((head_starts.normal_secs, head_starts.high_secs), (0, 5));
        assert_eq!(head_starts.critical_secs, 15);
    }
}
