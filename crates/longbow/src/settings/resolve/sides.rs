//! The settings of the two sides: where a store is, and who asks.

use longbow_aws::is_plain_http_elsewhere;
use longbow_core::object::Encryption;

use super::Judge;
use crate::settings::raw::{RawDestination, RawSource};
use crate::settings::reading::{choice, optional, truth};
use crate::settings::values::{Credentials, DestinationSettings, RoleSettings, SideSettings};
use crate::settings::written::Written;

/// Who asks for a side, as written.
struct Asking<'a> {
    id: &'a Written,
    secret: &'a Written,
    token: &'a Written,
    parameter: &'a Written,
    anonymous: bool,
}

impl Judge<'_> {
    pub(super) fn source(&mut self, raw: &RawSource, allow_http: bool) -> SideSettings {
        let anonymous = self.take("source.anonymous", &raw.anonymous, truth);
        let credentials = self.credentials(
            "source",
            &Asking {
                id: &raw.access_key_id,
                secret: &raw.secret_access_key,
                token: &raw.session_token,
                parameter: &raw.credentials_parameter,
                anonymous,
            },
        );
        let role = self.role("source", &raw.role_arn, &raw.external_id, anonymous);
        let profile = self.text("source.profile", &raw.profile);
        if let (true, Some(name)) = (anonymous, &profile) {
            self.fault(
                "source.profile",
                name,
                "reading anonymously takes no profile: leave one of the two out",
            );
        }
        SideSettings {
            endpoint_url: self.endpoint("source.endpoint_url", &raw.endpoint_url, allow_http),
            region: self.text("source.region", &raw.region),
            profile,
            path_style: self.path_style("source.path_style", &raw.path_style),
            credentials,
            role,
            requester_pays: self.take("source.requester_pays", &raw.requester_pays, truth),
            expected_bucket_owner: self.owner("source.expected_bucket_owner", &raw.expected_bucket_owner),
        }
    }

    pub(super) fn destination(&mut self, raw: &RawDestination, allow_http: bool) -> DestinationSettings {
        let credentials = self.credentials(
            "destination",
            &Asking {
                id: &raw.access_key_id,
                secret: &raw.secret_access_key,
                token: &raw.session_token,
                parameter: &raw.credentials_parameter,
                anonymous: false,
            },
        );
        let role = self.role("destination", &raw.role_arn, &raw.external_id, false);
        let side = SideSettings {
            endpoint_url: self.endpoint("destination.endpoint_url", &raw.endpoint_url, allow_http),
            region: self.text("destination.region", &raw.region),
            profile: self.text("destination.profile", &raw.profile),
            path_style: self.path_style("destination.path_style", &raw.path_style),
            credentials,
            role,
            requester_pays: false,
            expected_bucket_owner: self
                .owner("destination.expected_bucket_owner", &raw.expected_bucket_owner),
        };
        let key = self.text("destination.sse_kms_key_id", &raw.sse_kms_key_id);
        if key.is_some() && raw.sse.text() != "aws:kms" {
            let remedy = "a KMS key needs --sse aws:kms beside it";
            self.fault("destination.sse_kms_key_id", &raw.sse_kms_key_id.text(), remedy);
        }
        let encryption = self.take("destination.sse", &raw.sse, |text| match text {
            "" => Ok(None),
            "AES256" => Ok(Some(Encryption::S3)),
            "aws:kms" => Ok(Some(Encryption::Kms { key })),
            _ => Err("give AES256 or aws:kms".to_owned()),
        });
        let storage_class = self.take("destination.storage_class", &raw.storage_class, |text| {
            // Stores have classes of their own: only the form is judged.
            if text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
                return Ok(optional(text));
            }
            Err("give a storage class as S3 writes it, as STANDARD_IA or INTELLIGENT_TIERING".to_owned())
        });
        DestinationSettings { side, storage_class, encryption }
    }

    fn role(
        &mut self,
        side: &str,
        arn: &Written,
        external_id: &Written,
        anonymous: bool,
    ) -> Option<RoleSettings> {
        let key = format!("{side}.role_arn");
        let arn = self.take(&key, arn, |text| match text {
            "" => Ok(None),
            text if text.starts_with("arn:") && text.contains(":role/") => Ok(Some(text.to_owned())),
            _ => Err("give a role as arn:aws:iam::123456789012:role/NAME".to_owned()),
        });
        let external_id = self.text(&format!("{side}.external_id"), external_id);
        match &arn {
            Some(arn) if anonymous => {
                self.fault(&key, arn, "reading anonymously takes no role: leave one of the two out");
            }
            None if external_id.is_some() => {
                self.fault(
                    &key,
                    "",
                    format!("{side}.external_id goes with a role: name it, or take the id away"),
                );
            }
            _ => {}
        }
        arn.map(|arn| RoleSettings { arn, external_id })
    }

    fn credentials(&mut self, side: &str, asking: &Asking<'_>) -> Credentials {
        let name = |key: &str| format!("{side}.{key}");
        let [id, secret, token, parameter] = [
            self.text(&name("access_key_id"), asking.id),
            self.text(&name("secret_access_key"), asking.secret),
            self.text(&name("session_token"), asking.token),
            self.text(&name("credentials_parameter"), asking.parameter),
        ];
        let anonymous = asking.anonymous;
        if let Some(parameter) = parameter {
            if anonymous || id.is_some() || secret.is_some() {
                let remedy = "take the keys beside it away, or the parameter: one of them says who asks";
                self.fault(&name("credentials_parameter"), &parameter, remedy);
            }
            return Credentials::Stored { parameter };
        }
        let variable = |key: &str| format!("LONGBOW_{}__{key}", side.to_uppercase());
        if anonymous && (id.is_some() || secret.is_some()) {
            self.fault(&name("anonymous"), "true", "take the keys away, or read with them: not both");
        }
        match (id, secret) {
            (Some(id), Some(secret)) => Credentials::Keys { id, secret, token },
            (Some(id), None) => {
                let remedy = format!("the secret is missing: set {}", variable("SECRET_ACCESS_KEY"));
                self.fault(&name("access_key_id"), &id, remedy);
                Credentials::Chain
            }
            (None, Some(_)) => {
                let remedy = format!("the key id is missing: set {}", variable("ACCESS_KEY_ID"));
                self.fault(&name("secret_access_key"), "", remedy);
                Credentials::Chain
            }
            (None, None) => {
                if token.is_some() {
                    let remedy = format!("the keys are missing: set {} too", variable("ACCESS_KEY_ID"));
                    self.fault(&name("session_token"), "", remedy);
                }
                if anonymous { Credentials::Anonymous } else { Credentials::Chain }
            }
        }
    }

    fn path_style(&mut self, key: &str, written: &Written) -> Option<bool> {
        let forms = [("auto", None), ("true", Some(true)), ("false", Some(false))];
        self.take(key, written, |text| choice(text, &forms))
    }

    fn owner(&mut self, key: &str, written: &Written) -> Option<String> {
        self.take(key, written, |text| match text.len() {
            0 => Ok(None),
            12 if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(text.to_owned())),
            _ => Err("give an account of 12 digits".to_owned()),
        })
    }

    pub(super) fn endpoint(&mut self, key: &str, written: &Written, allow_http: bool) -> Option<String> {
        self.take(key, written, |text| {
            let Some((scheme, rest)) = text.split_once("://") else {
                return match text {
                    "" => Ok(None),
                    _ => Err("give a URL as https://HOST or http://127.0.0.1:9000".to_owned()),
                };
            };
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            if authority.is_empty() || !matches!(scheme, "http" | "https") {
                return Err("give a URL as https://HOST or http://127.0.0.1:9000".to_owned());
            }
            if authority.contains('@') {
                return Err("credentials do not belong into a URL; use a profile or the environment".to_owned());
            }
            if is_plain_http_elsewhere(text) && !allow_http {
                return Err(
                    "plain http to another machine: anybody on the way can read the bytes. Give an https URL, or \
                     allow it by --allow-http"
                        .to_owned(),
                );
            }
            Ok(Some(text.trim_end_matches('/').to_owned()))
        })
    }
}
