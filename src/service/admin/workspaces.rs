//! Workspaces.

use super::Admin;
use crate::{
    api::v1,
    app::{Action, Command},
    domain::id::WorkspaceId,
    routing::Input,
    service::{
        context::Context,
        convert,
        error::Error,
        idempotency::workspace_key,
        validate::{self, Check},
    },
};

impl Admin {
    pub(super) async fn create_workspace(
        &self,
        context: &Context,
        mut request: v1::CreateWorkspaceRequest,
    ) -> Result<v1::CreateWorkspaceResponse, Error> {
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = workspace_key("CreateWorkspace", &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let settings = validate::settings(&mut check, request.workspace);
        let (workspace, settings) = check.finish(settings)?;
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
        Ok(v1::GetWorkspaceResponse { workspace: Some(self.workspace(&workspace).await?) })
    }

    pub(super) async fn list_workspaces(
        &self,
        _context: &Context,
        request: v1::ListWorkspacesRequest,
    ) -> Result<v1::ListWorkspacesResponse, Error> {
        let page = validate::page(request.page_size, request.page_token);
        let page = self.handle.workspaces(page).await?;
        let workspaces = page.items.into_iter().map(convert::workspace).collect();
        Ok(v1::ListWorkspacesResponse { workspaces, next_page_token: page.next })
    }

    pub(super) async fn update_workspace(
        &self,
        context: &Context,
        mut request: v1::UpdateWorkspaceRequest,
    ) -> Result<v1::UpdateWorkspaceResponse, Error> {
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = workspace_key("UpdateWorkspace", &key, &request);
        let expected = request.workspace.as_ref().map(|workspace| workspace.version);
        let expected = expected.filter(|version| *version > 0);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let settings = validate::settings(&mut check, request.workspace);
        let (workspace, settings) = check.finish(settings)?;
        let command = Command {
            workspace: workspace.clone(),
            actor: context.actor.clone(),
            idempotency,
            action: Action::Route(Input::SetWorkspace { settings, expected }.into()),
        };
        self.handle.command(command).await?;
        Ok(v1::UpdateWorkspaceResponse { workspace: Some(self.workspace(&workspace).await?) })
    }

    async fn workspace(&self, workspace: &WorkspaceId) -> Result<v1::Workspace, Error> {
        Ok(convert::workspace(self.handle.workspace(workspace).await?))
    }
}
