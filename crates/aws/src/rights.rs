//! What trying a right has shown, of the queue, the table and the parameters.
//!
//! Apart from the calls that do a fleet's work: these leave no trace, and their refusals are answers. Which right is
//! needed by whom, and what a refusal means for a user, is said elsewhere; the stores' rights are tried by core's ports.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use longbow_core::failure::BackendError;

use crate::cluster::{About, ClusterSession, Fault, FaultKind, translate};

/// One right that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The action of an IAM policy.
    pub action: &'static str,
    /// What it was tried on.
    pub thing: String,
    /// Whether the identity has it.
    pub outcome: Result<(), NotShown>,
}

/// Why a right was not shown to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotShown {
    /// It could not be tried, for this reason.
    NotTried(String),
    /// The call failed.
    Failed(BackendError),
}

impl From<Fault> for NotShown {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl Tried {
    /// From the answer of a call. `proof`: a code of an error that only who has the right gets.
    pub(crate) fn of<T, E>(
        about: &About<'_>,
        action: &'static str,
        answer: Result<T, SdkError<E, HttpResponse>>,
        proof: Option<&str>,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let outcome = match answer {
            Ok(_) => Ok(()),
            Err(error) => {
                let fault = translate(about, &error);
                let code = fault.code.rsplit('#').next().unwrap_or_default();
                if proof == Some(code) { Ok(()) } else { Err(fault.into()) }
            }
        };
        Self { action, thing: about.thing.to_owned(), outcome }
    }

    pub(crate) fn not_tried(action: &'static str, thing: &str, why: &str) -> Self {
        Self { action, thing: thing.to_owned(), outcome: Err(NotShown::NotTried(why.to_owned())) }
    }

    /// The call could not even be made, or its answer is of no use.
    pub(crate) fn failed(action: &'static str, thing: impl Into<String>, error: BackendError) -> Self {
        Self { action, thing: thing.into(), outcome: Err(NotShown::Failed(error)) }
    }
}

/// Tries to read parameters, values included: what a SecureString is encrypted with is asked, too.
pub async fn try_parameters(session: &ClusterSession, names: &[&str]) -> Vec<Tried> {
    const ACTION: &str = "ssm:GetParameters";
    let mut tried = Vec::with_capacity(names.len());
    for name in names {
        let thing = format!("the parameter {name}");
        let client = match session.ssm() {
            Ok(client) => client,
            Err(error) => {
                tried.push(Tried::failed(ACTION, thing, error));
                continue;
            }
        };
        let if_missing = "make it in this account and region, or name another";
        let about = About { call: "GetParameters", thing: &thing, right: ACTION, if_missing };
        let answer = client.get_parameters().names(*name).with_decryption(true).send().await;
        let missing = answer.as_ref().is_ok_and(|answer| answer.parameters().is_empty());
        let mut found = Tried::of(&about, ACTION, answer, None);
        if missing {
            let message = format!("there is no parameter {name}: {if_missing}");
            found.outcome = Err(NotShown::Failed(BackendError::new(FaultKind::Missing, message)));
        }
        tried.push(found);
    }
    tried
}
