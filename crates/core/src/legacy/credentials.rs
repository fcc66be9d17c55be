//! The other account's credentials of SSM's `s3_migration_credentials` (LB-04).

use crate::json::{JsonFault, Node, read_strict};
use crate::secret::Secret;

const FIELDS: [&str; 4] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "region"];

/// Credentials of the account that is not the workers' own. `Debug` hides what is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherAccount {
    /// The name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// For temporary credentials, which Longbow did not know.
    pub session_token: Option<Secret>,
    /// Where the account's buckets are.
    pub region: String,
}

/// Reads `{"aws_access_key_id", "aws_secret_access_key", "region"}`; reports every fault with its place, and no value.
pub fn read_credentials(text: &str) -> Result<OtherAccount, Vec<JsonFault>> {
    let value = read_strict(text).map_err(|fault| vec![fault])?;
    let root = Node::root(&value);
    let Some(fields) = value.as_object() else {
        return Err(vec![root.fault(format!("is no object with {}", FIELDS.join(", ")))]);
    };
    let mut faults = Vec::new();
    // The name is not repeated: who swaps names and values would see a secret in the log.
    if fields.keys().any(|key| !FIELDS.contains(&key.as_str())) {
        faults.push(root.fault(format!("has a field that is not known; known are {}", FIELDS.join(", "))));
    }
    let mut text = |name: &str| {
        let read = || -> Result<String, JsonFault> {
            let node = root.need(name)?;
            let text = node.text()?;
            let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
            if plain { Ok(text.to_owned()) } else { Err(node.fault("is empty, or holds white space")) }
        };
        read().map_err(|fault| faults.push(fault)).ok()
    };
    let id = text("aws_access_key_id");
    let key = text("aws_secret_access_key");
    let region = text("region");
    let token = if root.get("aws_session_token").is_some() { text("aws_session_token") } else { None };
    match (id, key, region) {
        (Some(id), Some(key), Some(region)) if faults.is_empty() => Ok(OtherAccount {
            access_key_id: id,
            secret_access_key: Secret::new(key),
            session_token: token.map(Secret::new),
            region,
        }),
        _ => Err(faults),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../tests/corpus/legacy/credentials.json");

    #[test]
    fn lb_04_credentials_as_longbow_has_them() {
        let account = read_credentials(GOOD).unwrap();
        assert_eq!(account.access_key_id, "AKIAEXAMPLEEXAMPLE00");
        assert_eq!(account.secret_access_key.expose(), "not/a+real/secret/key0123456789abcdefghi");
        assert_eq!(account.region, "cn-northwest-1");
        let temporary = GOOD.replace("\"region\"", "\"aws_session_token\": \"tok\", \"region\"");
        assert!(read_credentials(&temporary).unwrap().session_token.is_some());
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let shown = format!("{:?}", read_credentials(GOOD).unwrap());
        assert!(!shown.contains("secret/key"), "{shown}");
        for wrong in [
            r#"{"aws_access_key_id": 7, "aws_secret_access_key": "SECRET SECRET", "region": ["SECRET"]}"#,
            r#"{"SECRET": "aws_secret_access_key"}"#,
            r#"["SECRET"]"#,
            r#"{"aws_secret_access_key": "SECRET"#,
            r#"{"aws_secret_access_key": "SECRET", "aws_secret_access_key": "SECRET"}"#,
        ] {
            let faults = read_credentials(wrong).unwrap_err();
            assert!(!faults.is_empty());
            assert!(!format!("{faults:?}").contains("SECRET"), "{faults:?}");
        }
    }

    #[test]
    fn all_faults_are_named() {
        let faults = read_credentials(r#"{"aws_access_key_id": "", "region": 1, "x": 1}"#).unwrap_err();
        let places: Vec<&str> = faults.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(places, ["$", "$.aws_access_key_id", "$.aws_secret_access_key", "$.region"]);
    }
}
