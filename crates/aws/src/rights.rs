//! What trying a right has shown, of the queue, the table and the parameters.
//!
//! Apart from the calls that do a fleet's work: these leave no trace, and their refusals are answers. Which right is
//! needed by whom, and what a refusal means for a user, is said elsewhere; the stores' rights are tried by core's ports.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::cluster::{About, ClusterSession, Fault, FaultKind, translate};

/// One right that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The action of an IAM policy.
    pub action: &'static str,
    /// What it was tried on.
    pub thing: String,
    /// Whether the identity has it.
    pub outcome: Result<(), Refusal>,
}

/// Why a try did not show that a right is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it is.
    pub kind: RefusalKind,
    /// In words, with the remedy.
    pub message: String,
}

/// What a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The identity lacks the right.
    Denied,
    /// It could not be tried.
    NotTried,
    /// There is no identity, no such thing, or the request is wrong.
    Unusable,
    /// No answer that tells.
    Transient,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let kind = match fault.kind {
            FaultKind::Denied => RefusalKind::Denied,
            FaultKind::Throttled | FaultKind::Transient => RefusalKind::Transient,
            FaultKind::Credentials | FaultKind::Missing | FaultKind::Permanent => RefusalKind::Unusable,
        };
        Self { kind, message: fault.message }
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
        let refusal = Refusal { kind: RefusalKind::NotTried, message: why.to_owned() };
        Self { action, thing: thing.to_owned(), outcome: Err(refusal) }
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
                let refusal = Refusal { kind: RefusalKind::Unusable, message: error.message };
                tried.push(Tried { action: ACTION, thing, outcome: Err(refusal) });
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
            found.outcome = Err(Refusal { kind: RefusalKind::Unusable, message });
        }
        tried.push(found);
    }
    tried
}
