//! The API's rules for a policy that came by another way.

use std::collections::BTreeSet;

use super::{
    convert,
    error::Error,
    validate::{self, Check},
};
use crate::domain::{id::SkillId, policy::Policy};

/// Returns each field of a policy that breaks a rule of the API, and what is allowed.
pub(crate) fn check_policy(policy: Policy, declared: &BTreeSet<SkillId>) -> Vec<(String, String)> {
    let mut check = Check::default();
    let taken = validate::policy(&mut check, Some(convert::policy(policy)), declared);
    match check.finish(taken) {
        Err(Error::Invalid(violations)) => {
            violations.into_iter().map(|it| (it.field, it.message)).collect()
        }
        _ => Vec::new(),
    }
}
