//! Workspaces.

use tonic::{Request, Response, Status, transport::Channel};

use super::Admin;
use crate::{
    api::v1::{self, admin_service_client::AdminServiceClient},
    app::{Action, Command, Owner},
    domain::id::WorkspaceId,
    routing::Input,
    service::{
        context::{ACTOR_KEY, Context, WORKSPACE_KEY},
        convert,
        error::Error,
        idempotency::workspace_key,
        peers::Line,
        validate::{self, Check},
    },
};

impl Admin {
    pub(super) async fn create_workspace(
        &self,
        context: &Context,
        mut request: v1::CreateWorkspaceRequest,
    ) -> Result<v1::CreateWorkspaceResponse, Error> {
        let sent = request.clone();
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = workspace_key("CreateWorkspace", &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let settings = validate::settings(&mut check, request.workspace);
        let (workspace, settings) = check.finish(settings)?;
        if let Some(mut owner) = self.elsewhere(&workspace).await? {
            let answer = owner.client.create_workspace(owner.request(context, sent)).await;
            return answered(answer);
        }
        let command = Command {
            workspace: workspace.clone(),
            actor: context.actor.clone(),
            idempotency,
            action: Action::CreateWorkspace(settings),
        };
        self.handle.command(command).await?;
        Ok(v1::CreateWorkspaceResponse { workspace: Some(self.workspace(&workspace).await?) })
    }

    pub(super) async fn get_workspace(
        &self,
        context: &Context,
        request: v1::GetWorkspaceRequest,
    ) -> Result<v1::GetWorkspaceResponse, Error> {
        let mut check = Check::default();
        let workspace = if request.workspace_id.is_empty() {
            Some(context.workspace.clone())
        } else {
            check.workspace("workspace_id", &request.workspace_id)
        };
        let workspace = check.finish(workspace)?;
        Ok(v1::GetWorkspaceResponse { workspace: Some(self.known(context, &workspace).await?) })
    }

    pub(super) async fn list_workspaces(
        &self,
        context: &Context,
        request: v1::ListWorkspacesRequest,
    ) -> Result<v1::ListWorkspacesResponse, Error> {
        let page = validate::page(request.page_size, request.page_token);
        let page = self.handle.workspace_names(page).await?;
        let mut workspaces = Vec::with_capacity(page.items.len());
        for workspace in &page.items {
            workspaces.push(self.known(context, workspace).await?);
        }
        Ok(v1::ListWorkspacesResponse { workspaces, next_page_token: page.next })
    }

    pub(super) async fn update_workspace(
        &self,
        context: &Context,
        mut request: v1::UpdateWorkspaceRequest,
    ) -> Result<v1::UpdateWorkspaceResponse, Error> {
        let sent = request.clone();
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = workspace_key("UpdateWorkspace", &key, &request);
        let expected = request.workspace.as_ref().map(|workspace| workspace.version);
        let expected = expected.filter(|version| *version > 0);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let settings = validate::settings(&mut check, request.workspace);
        let (workspace, settings) = check.finish(settings)?;
        if let Some(mut owner) = self.elsewhere(&workspace).await? {
            let answer = owner.client.update_workspace(owner.request(context, sent)).await;
            return answered(answer);
        }
        let command = Command {
            workspace: workspace.clone(),
            actor: context.actor.clone(),
            idempotency,
            action: Action::Route(Input::SetWorkspace { settings, expected }.into()),
        };
        self.handle.command(command).await?;
        Ok(v1::UpdateWorkspaceResponse { workspace: Some(self.workspace(&workspace).await?) })
    }

    /// Returns a workspace, whoever has it.
    async fn known(
        &self,
        context: &Context,
        workspace: &WorkspaceId,
    ) -> Result<v1::Workspace, Error> {
        let Some(mut owner) = self.elsewhere(workspace).await? else {
            return self.workspace(workspace).await;
        };
        let request = v1::GetWorkspaceRequest { workspace_id: workspace.to_string() };
        let answer = owner.client.get_workspace(owner.request(context, request)).await;
        Ok(answered(answer)?.workspace.unwrap_or_default())
    }

    async fn workspace(&self, workspace: &WorkspaceId) -> Result<v1::Workspace, Error> {
        Ok(convert::workspace(self.handle.workspace(workspace).await?))
    }

    /// Returns the server that has the workspace a request names, where that is another one.
    async fn elsewhere(&self, workspace: &WorkspaceId) -> Result<Option<Elsewhere>, Error> {
        let Owner::Peer(address) = self.handle.owner(workspace).await? else { return Ok(None) };
        let line = self.peers.line(&address)?;
        let client = AdminServiceClient::new(line.channel.clone());
        Ok(Some(Elsewhere { client, workspace: workspace.clone(), _line: line }))
    }
}

/// Another server, for a call about a workspace that it has.
struct Elsewhere {
    client: AdminServiceClient<Channel>,
    workspace: WorkspaceId,
    _line: Line,
}

impl Elsewhere {
    /// Returns a request to it by the same caller.
    fn request<T>(&self, context: &Context, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let actor = context.actor.as_ref().map(|actor| actor.as_str());
        let keys = [(WORKSPACE_KEY, Some(self.workspace.as_str())), (ACTOR_KEY, actor)];
        for (key, value) in keys {
            // Identifiers are of letters, digits and a few signs.
            if let Some(Ok(value)) = value.map(str::parse) {
                request.metadata_mut().insert(key, value);
            }
        }
        request
    }
}

fn answered<T>(answer: Result<Response<T>, Status>) -> Result<T, Error> {
    answer.map(Response::into_inner).map_err(|status| Error::Elsewhere(Box::new(status)))
}
