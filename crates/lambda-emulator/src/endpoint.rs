//! AWS's other services where the environment names an endpoint for them: on this machine, over plain HTTP.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use crate::AwsError;

/// The variable for all services, and what a service's own has behind it.
const VARIABLE: &str = "AWS_ENDPOINT_URL";

/// No answer is waited for longer: one with a zip in it, and one that whoever ends the emulator waits for.
const PATIENCE: Duration = Duration::from_secs(30);
const SHORT_PATIENCE: Duration = Duration::from_secs(3);

/// The largest answer: the largest zip that Lambda takes from S3.
const MAX_ANSWER_BYTES: u64 = 250 * 1024 * 1024;

/// What need not be escaped in a URL's path and query.
const PLAIN: &[u8] = b"-_.~";

/// Where this emulator finds zips, secrets and schedules that are not its own; nowhere unless somebody says so.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    pub(crate) s3: Option<Endpoint>,
    pub(crate) secrets_manager: Option<Endpoint>,
    pub(crate) scheduler: Option<Endpoint>,
}

impl Endpoints {
    /// As the environment has them: `AWS_ENDPOINT_URL` for all, and before it `AWS_ENDPOINT_URL_S3`, `_SECRETS_MANAGER` and
    /// `_SCHEDULER`.
    ///
    /// # Errors
    /// Where one is no URL of plain HTTP.
    pub fn from_environment(region: &str) -> Result<Self, String> {
        Self::find(region, |name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// All at one URL.
    ///
    /// # Errors
    /// Where it is none of plain HTTP.
    pub fn at(url: &str, region: &str) -> Result<Self, String> {
        Self::find(region, |name| (name == VARIABLE).then(|| url.to_owned()))
    }

    fn find(region: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let find = |suffix: &str, service: &'static str| {
            let own = format!("{VARIABLE}_{suffix}");
            let found = variable(&own).map(|url| (own, url));
            let found = found.or_else(|| variable(VARIABLE).map(|url| (VARIABLE.to_owned(), url)));
            found.map(|(name, url)| Endpoint::new(&name, &url, service, region)).transpose()
        };
        Ok(Self {
            s3: find("S3", "s3")?,
            secrets_manager: find("SECRETS_MANAGER", "secretsmanager")?,
            scheduler: find("SCHEDULER", "scheduler")?,
        })
    }
}

/// One service.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    url: String,
    /// Says region and service, as a signature would: emulators of many services find theirs by it.
    authorization: String,
    agent: Agent,
}

impl Endpoint {
    fn new(name: &str, url: &str, service: &str, region: &str) -> Result<Self, String> {
        if !url.starts_with("http://") {
            return Err(format!("{name}: found {url}, this emulator asks over plain HTTP only: name http://HOST:PORT"));
        }
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build();
        let scope = format!("emulated/19700101/{region}/{service}/aws4_request");
        let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=0");
        Ok(Self { url: url.trim_end_matches('/').to_owned(), authorization, agent: config.into() })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// An object of S3.
    ///
    /// # Errors
    /// As Lambda words it where there is none, or nobody answers.
    pub(crate) fn object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Vec<u8>, AwsError> {
        let version = version.map(|version| format!("?versionId={}", escape(version))).unwrap_or_default();
        let key = key.split('/').map(escape).collect::<Vec<_>>().join("/");
        let (status, body) = self.get(&format!("/{}/{key}{version}", escape(bucket)), PATIENCE)?;
        if status == 200 {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body);
        let (code, message) = (tagged(&text, "Code"), tagged(&text, "Message"));
        Err(AwsError::invalid_parameter(format!(
            "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {} ({}/{bucket}/{key}{version})",
            code.unwrap_or("none"),
            message.unwrap_or("none"),
            self.url
        )))
    }

    /// The current text of a secret.
    ///
    /// # Errors
    /// Where there is none, or nobody answers. Nothing of its content is in it.
    pub(crate) fn secret(&self, id: &str) -> Result<String, AwsError> {
        let request = self.agent.post(format!("{}/", self.url)).header("Authorization", &self.authorization);
        let request = request.header("X-Amz-Target", "secretsmanager.GetSecretValue");
        let request = request.header("Content-Type", "application/x-amz-json-1.1");
        let (status, body) = self.read(request.send(serde_json::json!({"SecretId": id}).to_string()))?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        match answer["SecretString"].as_str() {
            Some(text) if status == 200 => Ok(text.to_owned()),
            _ => {
                let kind = answer["__type"].as_str().unwrap_or("no SecretString");
                Err(AwsError::invalid_parameter(format!("secret {id}: {}: {kind}", self.url)))
            }
        }
    }

    /// JSON at a path.
    ///
    /// # Errors
    /// Where there is none, or nobody answers.
    pub(crate) fn json(&self, path: &str) -> Result<Value, AwsError> {
        let (status, body) = self.get(path, SHORT_PATIENCE)?;
        let failed = |why: String| AwsError::service(format!("{}{path}: {why}", self.url));
        if status != 200 {
            return Err(failed(format!("status {status}")));
        }
        serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))
    }

    fn get(&self, path: &str, patience: Duration) -> Result<(u16, Vec<u8>), AwsError> {
        let request = self.agent.get(format!("{}{path}", self.url)).header("Authorization", &self.authorization);
        self.read(request.config().timeout_global(Some(patience)).build().call())
    }

    fn read(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<(u16, Vec<u8>), AwsError> {
        let failed = |error: ureq::Error| AwsError::service(format!("{}: {error}", self.url));
        let mut answer = answer.map_err(failed)?;
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().map_err(failed)?;
        Ok((answer.status().as_u16(), body))
    }
}

/// A text as it stands in a URL.
pub(crate) fn escape(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    escaped.collect()
}

/// What stands between an XML element's tags.
fn tagged<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(content, _)| content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Result<[Option<String>; 3], String> {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, url)| (*url).to_owned());
        let url = |endpoint: Option<Endpoint>| endpoint.map(|endpoint| endpoint.url);
        Endpoints::find("us-east-1", value).map(|all| [url(all.s3), url(all.secrets_manager), url(all.scheduler)])
    }

    #[test]
    fn a_services_own_endpoint_goes_before_that_of_all() {
        assert_eq!(find(&[]), Ok([None, None, None]));
        let all = Some("http://a:1".to_owned());
        let own = Some("http://b:2".to_owned());
        assert_eq!(
            find(&[("AWS_ENDPOINT_URL", "http://a:1/"), ("AWS_ENDPOINT_URL_S3", "http://b:2")]),
            Ok([own, all.clone(), all])
        );
    }

    #[test]
    fn an_endpoint_behind_tls_is_refused_by_its_variable() {
        let refused = find(&[("AWS_ENDPOINT_URL_SCHEDULER", "https://a")]).unwrap_err();
        let expected = "AWS_ENDPOINT_URL_SCHEDULER: found https://a, this emulator asks over plain HTTP only: name http://HOST:PORT";
        assert_eq!(refused, expected);
    }

    #[test]
    fn a_key_is_escaped_but_for_its_slashes() {
        assert_eq!(escape("a/b c+\u{fc}.zip"), "a%2Fb%20c%2B%C3%BC.zip");
        assert_eq!(tagged("<Error><Code>NoSuchKey</Code></Error>", "Code"), Some("NoSuchKey"));
    }
}
