//! What stands in for Secrets Manager: mappings read their credentials there, and functions ask it by `GetSecretValue`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::AwsError;
use crate::endpoint::Endpoint;
use crate::function::{ACCOUNT, now_ms};
use crate::http::{Request, Response, Service};

/// The only version that a secret has.
const VERSION_ID: &str = "00000000-0000-4000-8000-000000000001";
const VERSION_STAGE: &str = "AWSCURRENT";

/// What AWS adds to a name in its ARN: a dash and six letters.
const SUFFIX: &str = "-emulat";

/// Where mappings find their secrets.
pub(crate) enum SecretsManager {
    /// With the emulator.
    Own(Arc<Secrets>),
    /// Where the environment says.
    At(Endpoint),
}

impl SecretsManager {
    /// The text of a secret.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn text(&self, id: &str) -> Result<String, AwsError> {
        match self {
            Self::Own(secrets) => match secrets.text(id) {
                Some(text) => Ok(text.to_owned()),
                None => Err(AwsError::invalid_parameter(format!("there is no secret {id}"))),
            },
            Self::At(endpoint) => endpoint.secret(id),
        }
    }
}

/// Secrets by id, each the text that Secrets Manager would hold. It has no `Debug`: they are never told.
pub(crate) struct Secrets {
    region: String,
    by_id: BTreeMap<String, String>,
    created_s: u64,
}

impl Secrets {
    pub(crate) fn new(region: &str, by_id: BTreeMap<String, String>) -> Self {
        Self { region: region.to_owned(), by_id, created_s: now_ms() / 1_000 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The text of a secret, which may be asked for by its name or by its ARN, however it was configured.
    pub(crate) fn text(&self, id: &str) -> Option<&str> {
        self.find(id).map(|(_, text)| text)
    }

    fn find(&self, id: &str) -> Option<(&str, &str)> {
        let exact = self.by_id.get_key_value(id);
        let found = exact.or_else(|| self.by_id.iter().find(|(known, _)| name(known) == name(id)));
        found.map(|(id, text)| (id.as_str(), text.as_str()))
    }

    /// `GetSecretValue`.
    fn get_value(&self, body: &[u8]) -> Result<Value, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct GetSecretValue {
            secret_id: Option<String>,
            version_id: Option<String>,
            version_stage: Option<String>,
        }
        let asked: GetSecretValue =
            serde_json::from_slice(body).map_err(|error| refusal("SerializationException", error.to_string()))?;
        let id = asked.secret_id.unwrap_or_default();
        if id.is_empty() {
            return Err(refusal("ValidationException", "SecretId: found none, allowed a secret's name or ARN"));
        }
        let not_found = |what: String| refusal("ResourceNotFoundException", what);
        let (id, text) =
            self.find(&id).ok_or_else(|| not_found("Secrets Manager can't find the specified secret.".to_owned()))?;
        let value = "Secrets Manager can't find the specified secret value for";
        if let Some(version) = asked.version_id.filter(|version| version != VERSION_ID) {
            return Err(not_found(format!("{value} VersionId: {version}")));
        }
        if let Some(stage) = asked.version_stage.filter(|stage| stage != VERSION_STAGE) {
            return Err(not_found(format!("{value} staging label: {stage}")));
        }
        Ok(json!({"ARN": self.arn(id), "Name": name(id), "VersionId": VERSION_ID, "SecretString": text,
            "VersionStages": [VERSION_STAGE], "CreatedDate": self.created_s}))
    }

    fn arn(&self, id: &str) -> String {
        let region = &self.region;
        if id.starts_with("arn:") {
            id.to_owned()
        } else {
            format!("arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{id}{SUFFIX}")
        }
    }
}

impl Service for Secrets {
    /// AWS JSON 1.1: one path, the action in a header, errors with status 400 and their type in the body.
    fn answer(&self, request: Request) -> Option<Response> {
        if !request.names_this_machine() {
            return None; // a page in a browser; SDKs ask by the address that they were given
        }
        let result = match request.header("X-Amz-Target") {
            Some("secretsmanager.GetSecretValue") if request.method == "POST" && request.path == "/" => {
                self.get_value(&request.body)
            }
            found => {
                let (method, path, found) = (&request.method, &request.path, found.unwrap_or("none"));
                let known = "this emulator answers POST / with secretsmanager.GetSecretValue";
                let message = format!("{method} {path} with X-Amz-Target {found}: {known}");
                Err(refusal("UnknownOperationException", message))
            }
        };
        let (status, body) = match result {
            Ok(body) => (200, body),
            Err(error) => (error.status, json!({"__type": error.kind, "Message": error.message})),
        };
        let content_type = ("Content-Type", "application/x-amz-json-1.1".to_owned());
        Some(Response { status, headers: vec![content_type], body: body.to_string().into_bytes() })
    }
}

fn refusal(kind: &'static str, message: impl Into<String>) -> AwsError {
    AwsError { kind, status: 400, message: message.into() }
}

/// A secret's name, which an ARN has behind `:secret:`, with a dash and six letters of AWS behind it.
fn name(id: &str) -> &str {
    let Some((_, name)) = id.split_once(":secret:") else { return id };
    match name.rsplit_once('-') {
        Some((name, suffix)) if suffix.len() == SUFFIX.len() - 1 => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_by_its_name_and_by_its_arn() {
        let arn = |name: &str| format!("arn:aws:secretsmanager:eu-central-1:000000000000:secret:{name}");
        let by_id = [("shop/user-payment".to_owned(), "one".to_owned()), (arn("ca-Ab12Cd"), "two".to_owned())];
        let secrets = Secrets::new("eu-central-1", by_id.into());
        for (id, text) in [
            ("shop/user-payment", Some("one")),
            (&arn("shop/user-payment"), Some("one")),
            (&arn("shop/user-payment-Xy34Zz"), Some("one")),
            (&arn("ca-Ab12Cd"), Some("two")),
            ("ca", Some("two")),
            ("shop/user", None),
            ("", None),
        ] {
            assert_eq!(secrets.text(id), text, "{id}");
        }
        assert_eq!(secrets.text(&secrets.arn("shop/user-payment")), Some("one"));
    }
}
