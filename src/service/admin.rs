//! `AdminService`: workspaces, skills, agents and policies.
//!
//! This file is the way in; the work is done beside it, one file for each kind of resource.

mod agents;
mod policies;
mod skills;
mod workspaces;

use tonic::{Request, Response, Status};

use super::{context::Context, error::Error, peers::Peers, respond};
use crate::{
    api::v1::{self, admin_service_server::AdminService},
    app::{Action, Command, Handle, Idempotency},
    routing::Input,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) handle: Handle,
    /// The servers that may have the workspaces a request names.
    pub(crate) peers: Peers,
}

impl Admin {
    async fn route(
        &self,
        context: &Context,
        idempotency: Option<Idempotency>,
        input: Input,
    ) -> Result<(), Error> {
        let command = Command {
            workspace: context.workspace.clone(),
            actor: context.actor.clone(),
            idempotency,
            action: Action::Route(input.into()),
        };
        self.handle.command(command).await?;
        Ok(())
    }
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn create_workspace(
        &self,
        request: Request<v1::CreateWorkspaceRequest>,
    ) -> Result<Response<v1::CreateWorkspaceResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.create_workspace(&context, request)).await)
    }

    async fn get_workspace(
        &self,
        request: Request<v1::GetWorkspaceRequest>,
    ) -> Result<Response<v1::GetWorkspaceResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.get_workspace(&context, request)).await)
    }

    async fn list_workspaces(
        &self,
        request: Request<v1::ListWorkspacesRequest>,
    ) -> Result<Response<v1::ListWorkspacesResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.list_workspaces(&context, request)).await)
    }

    async fn update_workspace(
        &self,
        request: Request<v1::UpdateWorkspaceRequest>,
    ) -> Result<Response<v1::UpdateWorkspaceResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.update_workspace(&context, request)).await)
    }

    async fn create_skill(
        &self,
        request: Request<v1::CreateSkillRequest>,
    ) -> Result<Response<v1::CreateSkillResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.create_skill(&context, request)).await)
    }

    async fn list_skills(
        &self,
        request: Request<v1::ListSkillsRequest>,
    ) -> Result<Response<v1::ListSkillsResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.list_skills(&context, request)).await)
    }

    async fn delete_skill(
        &self,
        request: Request<v1::DeleteSkillRequest>,
    ) -> Result<Response<v1::DeleteSkillResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.delete_skill(&context, request)).await)
    }

    async fn create_agent(
        &self,
        request: Request<v1::CreateAgentRequest>,
    ) -> Result<Response<v1::CreateAgentResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.create_agent(&context, request)).await)
    }

    async fn get_agent(
        &self,
        request: Request<v1::GetAgentRequest>,
    ) -> Result<Response<v1::GetAgentResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.get_agent(&context, request)).await)
    }

    async fn list_agents(
        &self,
        request: Request<v1::ListAgentsRequest>,
    ) -> Result<Response<v1::ListAgentsResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.list_agents(&context, request)).await)
    }

    async fn update_agent(
        &self,
        request: Request<v1::UpdateAgentRequest>,
    ) -> Result<Response<v1::UpdateAgentResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.update_agent(&context, request)).await)
    }

    async fn delete_agent(
        &self,
        request: Request<v1::DeleteAgentRequest>,
    ) -> Result<Response<v1::DeleteAgentResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.delete_agent(&context, request)).await)
    }

    async fn set_policy(
        &self,
        request: Request<v1::SetPolicyRequest>,
    ) -> Result<Response<v1::SetPolicyResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.set_policy(&context, request)).await)
    }

    async fn get_policy(
        &self,
        request: Request<v1::GetPolicyRequest>,
    ) -> Result<Response<v1::GetPolicyResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.get_policy(&context, request)).await)
    }
}
