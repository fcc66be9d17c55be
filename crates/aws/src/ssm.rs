//! Parameters of Systems Manager: the routes and the other account's keys, where Longbow keeps them.
//!
//! Read by name, SecureStrings decrypted. Values never show themselves: a parameter's `Debug` says that there is one, and
//! no message has it. What the values mean is not decided here.

use std::fmt;

use async_trait::async_trait;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::ParameterType;
use longbow_core::failure::{BackendError, BackendErrorKind};
use longbow_core::object::Timestamp;
use longbow_core::port::{Parameter, ParameterStore};
use longbow_core::secret::Secret;

use crate::cluster::{About, ClusterSession, translate};

/// Most names of one request (API reference, GetParameters).
const MOST_NAMES: usize = 10;

/// The parameters of one account and region. Clones share the connections.
#[derive(Clone)]
pub struct Parameters {
    client: Client,
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parameters")
    }
}

impl Parameters {
    /// Asks nothing.
    pub fn open(session: &ClusterSession) -> Result<Self, BackendError> {
        Ok(Self { client: session.ssm()? })
    }

    /// Stores a parameter: for tests.
    #[doc(hidden)]
    pub async fn put(&self, name: &str, value: &Secret, secure: bool) -> Result<(), BackendError> {
        let kind = if secure { ParameterType::SecureString } else { ParameterType::String };
        let request =
            self.client.put_parameter().name(name).value(value.expose()).r#type(kind).overwrite(true);
        let thing = format!("the parameter {name}");
        let about = about("PutParameter", &thing, "ssm:PutParameter");
        request.send().await.map(drop).map_err(|error| translate(&about, &error).into())
    }
}

#[async_trait]
impl ParameterStore for Parameters {
    /// A name may be an ARN, and may end in a version (`name:3`) or a label.
    async fn get_many(&self, names: &[&str]) -> Result<Vec<Parameter>, BackendError> {
        let mut found = Vec::with_capacity(names.len());
        let mut absent = Vec::new();
        for names in names.chunks(MOST_NAMES) {
            // A name twice is no valid request.
            let mut different: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            different.sort_unstable();
            different.dedup();
            let thing = format!("the parameters {}", names.join(", "));
            let request = self.client.get_parameters().set_names(Some(different)).with_decryption(true);
            let answer = request.send().await.map_err(|error| {
                translate(
                    &about("GetParameters", &thing, "ssm:GetParameters (and kms:Decrypt on their key)"),
                    &error,
                )
            })?;
            let answered = answer.parameters.unwrap_or_default();
            for name in names {
                let called = answered.iter().filter(|parameter| is_called(parameter, name));
                // One that was asked for with a version has the plain name, too.
                match called.min_by_key(|parameter| parameter.selector.is_some()) {
                    Some(parameter) => found.push(read(name, parameter)?),
                    None => absent.push(*name),
                }
            }
        }
        if absent.is_empty() { Ok(found) } else { Err(missing(&absent)) }
    }
}

fn about<'a>(call: &'a str, thing: &'a str, right: &'a str) -> About<'a> {
    About { call, thing, right, if_missing: "make it in this account and region, or name another" }
}

/// A parameter is asked for by its name or its ARN, with or without a version or a label.
fn is_called(parameter: &aws_sdk_ssm::types::Parameter, asked: &str) -> bool {
    let Some(name) = parameter.name.as_deref() else { return false };
    let full = |name: &str| {
        name == asked || Some(asked) == parameter.selector.as_ref().map(|s| format!("{name}{s}")).as_deref()
    };
    // The ARN of `/a/b` is `…:parameter/a/b`, and that of `a` is `…:parameter/a`.
    full(name) || parameter.arn.as_deref().is_some_and(full)
}

fn read(name: &str, parameter: &aws_sdk_ssm::types::Parameter) -> Result<Parameter, BackendError> {
    let value = parameter.value.as_deref().unwrap_or_default();
    if value.trim().is_empty() {
        return Err(BackendError::fatal(format!("the parameter {name} is empty: give it a value")));
    }
    let modified = parameter.last_modified_date.and_then(|date| date.to_millis().ok());
    Ok(Parameter {
        name: name.to_owned(),
        value: Secret::new(value),
        secure: parameter.r#type == Some(ParameterType::SecureString),
        version: parameter.version,
        modified: modified.map(Timestamp),
    })
}

fn missing(names: &[&str]) -> BackendError {
    let (what, it) = match names {
        [_] => ("parameter", "it"),
        _ => ("parameters", "them"),
    };
    let names = names.join(", ");
    let text = format!(
        "there is no {what} {names} in this account and region: check the name and the region, or make {it} (aws ssm \
         put-parameter --name NAME --type SecureString --value …)"
    );
    BackendError::new(BackendErrorKind::Missing, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned::Canned;
    use crate::cluster::canned_session;

    async fn over(canned: &Canned) -> Parameters {
        Parameters::open(&canned_session(canned).await).unwrap()
    }

    const JSON: &[(&str, &str)] = &[("content-type", "application/x-amz-json-1.1")];

    #[tokio::test]
    async fn values_are_read_and_never_shown() {
        let canned = Canned::always(
            200,
            JSON,
            r#"{"Parameters": [
                {"Name": "keys", "Type": "SecureString", "Value": "{\"key\": \"hush\"}", "Version": 3,
                 "ARN": "arn:aws:ssm:eu-west-1:1:parameter/keys", "LastModifiedDate": 1767225600.5},
                {"Name": "routes", "Type": "String", "Value": "[]", "Version": 1, "Selector": ":1"}
            ], "InvalidParameters": []}"#,
        );
        let parameters = over(&canned).await;
        let names = ["routes:1", "arn:aws:ssm:eu-west-1:1:parameter/keys", "routes:1"];
        let found = parameters.get_many(&names).await.unwrap();
        assert_eq!(found.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), names);
        assert_eq!(found[1].value.expose(), "{\"key\": \"hush\"}");
        assert_eq!((found[1].secure, found[1].version, found[0].secure), (true, 3, false));
        assert_eq!(found[1].modified, Some(Timestamp(1_767_225_600_500)));
        assert!(!format!("{found:?}").contains("hush"));
        let asked = canned.asked();
        assert_eq!(asked.len(), 1);
        let body = String::from_utf8_lossy(&asked[0].body).into_owned();
        assert!(body.contains(r#""WithDecryption":true"#), "{body}");
        assert_eq!(body.matches("routes:1").count(), 1, "{body}");
    }

    #[tokio::test]
    async fn a_version_is_not_taken_for_the_latest() {
        let canned = Canned::always(
            200,
            JSON,
            r#"{"Parameters": [
                {"Name": "a", "Type": "String", "Value": "old", "Version": 1, "Selector": ":1"},
                {"Name": "a", "Type": "String", "Value": "new", "Version": 2}
            ]}"#,
        );
        let found = over(&canned).await.get_many(&["a", "a:1"]).await.unwrap();
        let values: Vec<&str> = found.iter().map(|parameter| parameter.value.expose()).collect();
        assert_eq!(values, ["new", "old"]);
    }

    #[tokio::test]
    async fn what_is_missing_is_named_all_at_once() {
        let canned = Canned::always(200, JSON, r#"{"Parameters": [], "InvalidParameters": ["a", "b"]}"#);
        let error = over(&canned).await.get_many(&["a", "b"]).await.unwrap_err();
        assert!(
            error.message.contains("a, b") && error.message.contains("put-parameter"),
            "{}",
            error.message
        );
        assert_eq!(error.kind, BackendErrorKind::Missing);
    }

    #[tokio::test]
    async fn an_empty_parameter_is_no_setting() {
        let canned =
            Canned::always(200, JSON, r#"{"Parameters": [{"Name": "a", "Type": "String", "Value": " \n"}]}"#);
        let error = over(&canned).await.get("a").await.unwrap_err();
        assert!(error.message.contains("the parameter a is empty"), "{}", error.message);
    }

    #[tokio::test]
    async fn a_missing_right_is_named() {
        let reply = r#"{"__type": "AccessDeniedException", "Message": "not authorized to perform"}"#;
        let error = over(&Canned::always(400, JSON, reply)).await.get("keys").await.unwrap_err();
        for words in ["keys", "ssm:GetParameters", "kms:Decrypt", "not authorized"] {
            assert!(error.message.contains(words), "{}", error.message);
        }
        assert!(!error.transient && error.is_refusal());
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_passes() {
        let reply = r#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#;
        let canned = Canned::always(400, JSON, reply);
        let error = over(&canned).await.get("keys").await.unwrap_err();
        assert!(error.transient, "{}", error.message);
        assert_eq!(canned.asked().len(), 4, "the SDK asks again");
    }
}
