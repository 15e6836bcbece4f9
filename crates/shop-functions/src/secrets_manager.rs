//! AWS Secrets Manager, by AWS's own SDK.
//!
//! What Lambda has put into the environment is read here instead of by `aws-config`, whose other sources of keys (profiles, STS,
//! the metadata of a machine) a function does not have. AWS's certificates are held against the CAs of the system: on Lambda
//! `/etc/pki/tls/certs/ca-bundle.crt`, elsewhere where the system keeps them, or `SSL_CERT_FILE`.

use std::error::Error;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use tokio::time::{Instant, timeout_at};

use crate::Failure;
use crate::settings::line;

/// How long the secrets may take, all attempts together: Lambda gives INIT ten seconds, of which the brokers get three.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long one attempt may take: so there is time for three.
const ATTEMPT_DEADLINE: Duration = Duration::from_millis(1_500);
/// How often it is tried where Secrets Manager does not answer, is busy or has failed; what it refuses is not asked again.
const ATTEMPTS: u32 = 3;
/// What the wait between two attempts grows from.
const BACKOFF: Duration = Duration::from_millis(100);

const REGION: &str = "AWS_REGION";
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// Another endpoint than AWS's own; the first that is set counts, as with every SDK.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"];

const PLAIN: &str = "http://";

/// Where it is, and as whom it is asked. Without `Debug`: it has keys.
pub(crate) struct SecretsManager {
    region: String,
    endpoint: Option<String>,
    keys: Credentials,
}

/// A secret that cannot be had, or does not serve. What is in it is never told.
#[derive(Debug, thiserror::Error)]
#[error("secret {id} ({variable}): {problem}")]
pub(crate) struct SecretError {
    variable: &'static str,
    id: String,
    problem: String,
}

impl SecretError {
    pub(crate) fn new(variable: &'static str, id: &str, problem: impl Into<String>) -> Self {
        Self { variable, id: id.to_owned(), problem: problem.into() }
    }
}

impl SecretsManager {
    /// Reads what Lambda sets.
    ///
    /// # Errors
    /// A line for each variable that does not serve.
    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let [region, key_id, secret_key] = [REGION, KEY_ID, SECRET_KEY].map(|name| {
            variable(name).unwrap_or_else(|| {
                wrong.push(line(name, "missing: Lambda sets it, for who asks Secrets Manager"));
                String::new()
            })
        });
        let endpoint = ENDPOINTS.iter().find_map(|name| Some((name, variable(name)?)));
        if let Some((name, found)) = endpoint.as_ref().filter(|(_, url)| !is_url(url)) {
            wrong.push(line(name, &format!("found {found:?}, allowed http://HOST:PORT or https://HOST")));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let keys = Credentials::new(key_id, secret_key, variable(SESSION_TOKEN), None, "environment");
        Ok(Self { region, endpoint: endpoint.map(|(_, url)| url), keys })
    }

    /// The texts of these secrets, each with the variable that names it, one after the other on one connection.
    ///
    /// # Errors
    /// A [`SecretError`] for the first that cannot be had in time.
    pub(crate) fn fetch<const N: usize>(&self, secrets: [(&'static str, &str); N]) -> Result<[String; N], Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let texts = runtime.block_on(self.ask_for(secrets));
        runtime.shutdown_background(); // a name that is still being looked up may take its time
        Ok(texts?)
    }

    async fn ask_for<const N: usize>(&self, secrets: [(&'static str, &str); N]) -> Result<[String; N], SecretError> {
        let (client, deadline) = (self.client(), Instant::now() + DEADLINE);
        let mut texts = [const { String::new() }; N];
        for (text, (variable, id)) in texts.iter_mut().zip(secrets) {
            let asked = timeout_at(deadline, client.get_secret_value().secret_id(id).send());
            let found = match asked.await {
                Ok(Ok(answer)) => answer.secret_string.ok_or_else(|| "it holds bytes, allowed is a text".to_owned()),
                Ok(Err(error)) => Err(self.explain(&error)),
                Err(_) => Err(self.unreachable(&format!("no answer within {} s", DEADLINE.as_secs()))),
            };
            *text = found.map_err(|problem| SecretError::new(variable, id, problem))?;
        }
        Ok(texts)
    }

    fn client(&self) -> Client {
        let is_plain = self.endpoint.as_ref().is_some_and(|url| url.starts_with(PLAIN));
        let http = match is_plain {
            true => Builder::new().build_http(), // without the CAs, which take time to load
            false => Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https(),
        };
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.keys.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_DEADLINE).build())
            .http_client(http);
        config.set_endpoint_url(self.endpoint.clone());
        Client::from_conf(config.build())
    }

    /// What happened, and what to check.
    fn explain(&self, error: &SdkError<GetSecretValueError>) -> String {
        let SdkError::ServiceError(refused) = error else {
            return self.unreachable(&chain(error));
        };
        let (code, message) = (refused.err().code().unwrap_or("an error"), refused.err().message().unwrap_or_default());
        format!("{code}: {message}{}", self.hint(code))
    }

    fn hint(&self, code: &str) -> String {
        match code {
            "ResourceNotFoundException" => format!(" Check that it is there, in {}", self.region),
            "AccessDeniedException" => {
                " Check that the function's role may secretsmanager:GetSecretValue it, and kms:Decrypt where it has a key of its own".to_owned()
            }
            "DecryptionFailure" => " Check that the function's role may kms:Decrypt with its key".to_owned(),
            _ => String::new(),
        }
    }

    fn unreachable(&self, reason: &str) -> String {
        let (name, url) = (ENDPOINTS[0], self.endpoint.as_deref());
        let place = url.map_or_else(|| format!("Secrets Manager in {}", self.region), str::to_owned);
        format!(
            "{place}: {reason}: check {name} if it is set, and that a function in a VPC has an interface endpoint for \
             secretsmanager, whose security group takes its port 443"
        )
    }
}

/// An error and what it came from, which the SDK does not say in its own text.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

fn is_url(text: &str) -> bool {
    [PLAIN, "https://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|host| !host.is_empty()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Secrets Manager in this region, behind an endpoint.
    fn manager(endpoint: &str) -> SecretsManager {
        let variable = |name: &str| {
            let value = match name {
                "AWS_ENDPOINT_URL" => endpoint,
                "AWS_REGION" => "eu-central-1",
                "AWS_ACCESS_KEY_ID" => "id-of-the-key",
                "AWS_SECRET_ACCESS_KEY" => "key",
                "AWS_SESSION_TOKEN" => "token",
                _ => return None,
            };
            Some(value.to_owned())
        };
        SecretsManager::read(&variable).unwrap_or_else(|lines| panic!("{lines:?}"))
    }

    /// Answers requests with these bodies, status 200 where it is a secret and 400 where not; gives what it was asked.
    fn serve(bodies: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answer = move |body: String| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 8_192];
            let length = stream.read(&mut request).unwrap();
            let status = if body.contains("__type") { "400 Bad Request" } else { "200 OK" };
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
                .unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        };
        (endpoint, std::thread::spawn(move || bodies.into_iter().map(answer).collect()))
    }

    #[test]
    fn secrets_are_asked_for_by_their_ids_with_a_signature_of_the_session() {
        let body = |text: &str| format!(r#"{{"Name":"n","SecretString":"{text}"}}"#);
        let (endpoint, server) = serve(vec![body("one"), body("two")]);
        let texts = manager(&endpoint).fetch([("A", "user/shop"), ("B", "ca")]).unwrap();
        assert_eq!(texts, ["one", "two"]);
        let [first, second] = &server.join().unwrap()[..] else { panic!("two requests") };
        assert!(second.ends_with(r#"{"SecretId":"ca"}"#), "{second}");
        for part in [
            "POST / HTTP/1.1\r\n",
            "\r\nx-amz-target: secretsmanager.GetSecretValue\r\n",
            "\r\nx-amz-security-token: token\r\n",
            "\r\nauthorization: AWS4-HMAC-SHA256 Credential=id-of-the-key/",
            "/eu-central-1/secretsmanager/aws4_request, ",
            r#"{"SecretId":"user/shop"}"#,
        ] {
            assert!(first.contains(part), "{part}\n{first}");
        }
    }

    #[test]
    fn a_refusal_says_which_secret_what_happened_and_what_to_check() {
        for (kind, check) in [
            ("ResourceNotFoundException", " Check that it is there, in eu-central-1"),
            (
                "AccessDeniedException",
                " Check that the function's role may secretsmanager:GetSecretValue it, and kms:Decrypt where it has a key of its own",
            ),
            ("DecryptionFailure", " Check that the function's role may kms:Decrypt with its key"),
            ("InvalidRequestException", ""),
        ] {
            let (endpoint, server) = serve(vec![format!(r#"{{"__type":"{kind}","Message":"No."}}"#)]);
            let refused = manager(&endpoint).fetch([("KAFKA_SECRET_ID", "user/shop")]).unwrap_err();
            assert_eq!(refused.to_string(), format!("secret user/shop (KAFKA_SECRET_ID): {kind}: No.{check}"));
            server.join().unwrap();
        }
    }

    #[test]
    fn a_server_that_fails_is_asked_again() {
        let failed = r#"{"__type":"ThrottlingException","Message":"slow"}"#.to_owned();
        let (endpoint, server) = serve(vec![failed.clone(), failed, r#"{"SecretString":"third"}"#.into()]);
        assert_eq!(manager(&endpoint).fetch([("A", "b")]).unwrap(), ["third"]);
        assert_eq!(server.join().unwrap().len(), 3);
    }

    #[test]
    fn who_cannot_be_reached_is_named_with_what_to_check() {
        let refused = manager("http://127.0.0.1:1").fetch([("KAFKA_SECRET_ID", "user/shop")]).unwrap_err().to_string();
        assert!(refused.starts_with("secret user/shop (KAFKA_SECRET_ID): http://127.0.0.1:1: "), "{refused}");
        for part in ["Connection refused", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "interface endpoint for secretsmanager"]
        {
            assert!(refused.contains(part), "{refused}");
        }
    }

    #[test]
    fn who_never_answers_is_given_up_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap(); // takes connections, and nothing from them
        let begun = std::time::Instant::now();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let refused = manager(&endpoint).fetch([("A", "b"), ("C", "d")]).unwrap_err().to_string();
        assert!(refused.contains("timeout") && refused.contains("interface endpoint"), "{refused}");
        assert!(begun.elapsed() < DEADLINE + Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[test]
    fn what_lambda_did_not_set_and_a_wrong_endpoint_are_told_together() {
        let variable = |name: &str| (name == "AWS_ENDPOINT_URL").then(|| "127.0.0.1:9001".to_owned());
        let lines = SecretsManager::read(&variable).err().unwrap();
        let missing = |name: &str| line(name, "missing: Lambda sets it, for who asks Secrets Manager");
        let endpoint = line("AWS_ENDPOINT_URL", r#"found "127.0.0.1:9001", allowed http://HOST:PORT or https://HOST"#);
        let expected =
            [missing("AWS_REGION"), missing("AWS_ACCESS_KEY_ID"), missing("AWS_SECRET_ACCESS_KEY"), endpoint];
        assert_eq!(lines, expected);
    }
}
