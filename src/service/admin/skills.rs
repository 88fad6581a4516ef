//! Skills.

use super::Admin;
use crate::{
    api::v1,
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
    pub(super) async fn create_skill(
        &self,
        context: &Context,
        mut request: v1::CreateSkillRequest,
    ) -> Result<v1::CreateSkillResponse, Error> {
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = workspace_key("CreateSkill", &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let skill = validate::skill(&mut check, request.skill);
        let (skill, description) = check.finish(skill)?;
        let made = convert::skill((skill.clone(), description.clone()));
        self.route(context, idempotency, Input::CreateSkill { skill, description }).await?;
        Ok(v1::CreateSkillResponse { skill: Some(made) })
    }

    pub(super) async fn list_skills(
        &self,
        context: &Context,
        request: v1::ListSkillsRequest,
    ) -> Result<v1::ListSkillsResponse, Error> {
        let page = validate::page(request.page_size, request.page_token);
        let page = self.handle.skills(&context.workspace, page).await?;
        let skills = page.items.into_iter().map(convert::skill).collect();
        Ok(v1::ListSkillsResponse { skills, next_page_token: page.next })
    }

    pub(super) async fn delete_skill(
        &self,
        context: &Context,
        mut request: v1::DeleteSkillRequest,
    ) -> Result<v1::DeleteSkillResponse, Error> {
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = workspace_key("DeleteSkill", &key, &request);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let skill = check.skill("skill_id", &request.skill_id);
        let skill = check.finish(skill)?;
        self.route(context, idempotency, Input::DeleteSkill { skill }).await?;
        Ok(v1::DeleteSkillResponse {})
    }
}
