//! Policies.

use super::Admin;
use crate::{
    api::v1,
    domain::policy::Policy,
    routing::Input,
    service::{
        context::Context,
        convert,
        error::Error,
        idempotency::workspace_key,
        lookup,
        validate::{self, Check, KnownNames},
    },
};

impl Admin {
    pub(super) async fn set_policy(
        &self,
        context: &Context,
        mut request: v1::SetPolicyRequest,
    ) -> Result<v1::SetPolicyResponse, Error> {
        let declared = lookup::skills(&self.handle, &context.workspace).await?;
        let key = std::mem::take(&mut request.idempotency_key);
        let idempotency = workspace_key("SetPolicy", &key, &request);
        let expected = Some(request.expected_version).filter(|version| *version > 0);
        let mut check = Check::default();
        check.idempotency_key(&key);
        let policy = validate::policy(&mut check, request.policy, &declared);
        let policy = check.finish(policy)?;
        self.route(context, idempotency, Input::SetPolicy { policy, expected }).await?;
        let policy = self.handle.policy(&context.workspace, None).await?;
        let warnings = self.warnings(context, &policy).await?;
        Ok(v1::SetPolicyResponse { policy: Some(convert::policy(policy)), warnings })
    }

    pub(super) async fn get_policy(
        &self,
        context: &Context,
        request: v1::GetPolicyRequest,
    ) -> Result<v1::GetPolicyResponse, Error> {
        let version = Some(request.version).filter(|version| *version > 0);
        let policy = self.handle.policy(&context.workspace, version).await?;
        Ok(v1::GetPolicyResponse { policy: Some(convert::policy(policy)) })
    }

    async fn warnings(&self, context: &Context, policy: &Policy) -> Result<Vec<String>, Error> {
        let settings = self.handle.workspace(&context.workspace).await?.settings;
        let intents = self.handle.model().ok().map(|model| model.intents.into_iter().collect());
        let known = KnownNames {
            segment_attributes: settings.segment_attributes,
            intents,
            held_skills: lookup::held_skills(&self.handle, &context.workspace).await?,
        };
        Ok(validate::warnings(policy, &known))
    }
}
