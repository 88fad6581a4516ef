//! Agents.

use super::Admin;
use crate::{
    api::v1,
    domain::id::AgentId,
    routing::{AgentWrite, Input},
    service::{
        context::Context,
        convert,
        error::Error,
        idempotency::workspace_key,
        lookup,
        validate::{self, Check},
    },
};

impl Admin {
    pub(super) async fn create_agent(
        &self,
        context: &Context,
        mut request: v1::CreateAgentRequest,
    ) -> Result<v1::CreateAgentResponse, Error> {
        let declared = lookup::skills(&self.handle, &context.workspace).await?;
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = workspace_key("CreateAgent", &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let profile = validate::profile(&mut check, request.profile, &declared);
        let profile = check.finish(profile)?;
        let agent = profile.agent.clone();
        let input = Input::SetAgent { profile, write: AgentWrite::Create };
        self.route(context, idempotency, input).await?;
        Ok(v1::CreateAgentResponse { agent: Some(self.agent(context, &agent).await?) })
    }

    pub(super) async fn get_agent(
        &self,
        context: &Context,
        request: v1::GetAgentRequest,
    ) -> Result<v1::GetAgentResponse, Error> {
        let mut check = Check::default();
        let agent = check.agent("agent_id", &request.agent_id);
        let agent = check.finish(agent)?;
        Ok(v1::GetAgentResponse { agent: Some(self.agent(context, &agent).await?) })
    }

    pub(super) async fn list_agents(
        &self,
        context: &Context,
        request: v1::ListAgentsRequest,
    ) -> Result<v1::ListAgentsResponse, Error> {
        let page = validate::page(request.page_size, request.page_token);
        let page = self.handle.agents(&context.workspace, page).await?;
        let agents = page.items.into_iter().map(convert::agent).collect();
        Ok(v1::ListAgentsResponse { agents, next_page_token: page.next })
    }

    pub(super) async fn update_agent(
        &self,
        context: &Context,
        mut request: v1::UpdateAgentRequest,
    ) -> Result<v1::UpdateAgentResponse, Error> {
        let declared = lookup::skills(&self.handle, &context.workspace).await?;
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = workspace_key("UpdateAgent", &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let profile = validate::profile(&mut check, request.profile, &declared);
        let profile = check.finish(profile)?;
        let agent = profile.agent.clone();
        let write = AgentWrite::Replace(Some(request.version).filter(|version| *version > 0));
        self.route(context, idempotency, Input::SetAgent { profile, write }).await?;
        Ok(v1::UpdateAgentResponse { agent: Some(self.agent(context, &agent).await?) })
    }

    pub(super) async fn delete_agent(
        &self,
        context: &Context,
        mut request: v1::DeleteAgentRequest,
    ) -> Result<v1::DeleteAgentResponse, Error> {
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = workspace_key("DeleteAgent", &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let agent = check.agent("agent_id", &request.agent_id);
        let agent = check.finish(agent)?;
        self.route(context, idempotency, Input::DeleteAgent { agent }).await?;
        Ok(v1::DeleteAgentResponse {})
    }

    async fn agent(&self, context: &Context, agent: &AgentId) -> Result<v1::Agent, Error> {
        Ok(convert::agent(self.handle.agent(&context.workspace, agent).await?))
    }
}
