//! What a function is told by its environment: read once, every problem reported.

use std::time::Duration;

use lambda_host::AnswerMode;
use messaging::{Services, ServicesError};
use shop::order_generator;
use topology::{Host, Topology};

use crate::credentials::Credentials;
use crate::hello_world;

/// The handler, as Lambda passes it on.
const HANDLER: &str = "_HANDLER";
/// `whole` or `partial`: what the service's mappings are configured for.
const ANSWER_MODE: &str = "ANSWER_MODE";

/// The longest that a write may wait for its confirmation, where the function's own time allows it.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Which function this is, with its settings.
pub(crate) enum Settings {
    HelloWorld,
    Generator { kafka: Kafka, traces: Option<otlp::Settings>, seed: u64 },
    Consumer { kafka: Kafka, traces: Option<otlp::Settings>, service: String, services: Services, mode: AnswerMode },
}

/// How it reaches Kafka.
pub(crate) struct Kafka {
    pub(crate) credentials: Credentials,
    pub(crate) write_deadline: Duration,
}

/// Settings that do not serve, a line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", list(.0))]
pub(crate) struct Wrong(Vec<String>);

fn list(lines: &[String]) -> String {
    let (count, are) = (lines.len(), if lines.len() == 1 { "setting is" } else { "settings are" });
    format!("{count} {are} wrong\n  {}", lines.join("\n  "))
}

/// All handlers: `hello_world`, and the services that `topology.json` puts on Lambda.
pub(crate) fn handlers(topology: &Topology) -> Vec<&str> {
    let on_lambda = topology.services().filter(|service| service.host == Host::Lambda);
    [hello_world::NAME].into_iter().chain(on_lambda.map(|service| service.name.as_str())).collect()
}

impl Settings {
    /// Reads them through `variable`; an empty value is none.
    pub(crate) fn read(topology: &Topology, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Wrong> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let handler = variable(HANDLER);
        if handler.as_deref() == Some(hello_world::NAME) {
            return Ok(Self::HelloWorld);
        }
        let mut wrong = Vec::new();
        let service = handler.as_deref().and_then(|name| topology.service(name));
        let Some(service) = service.filter(|service| service.host == Host::Lambda) else {
            let found = handler.map_or("missing".to_owned(), |found| format!("found {found:?}"));
            return Err(Wrong(vec![line(HANDLER, &format!("{found}, allowed {}", handlers(topology).join(", ")))]));
        };
        let credentials = Credentials::read(&variable).map_err(|lines| wrong.extend(lines));
        let traces = otlp::Settings::from_environment(variable).map_err(|lines| wrong.extend(lines.into_lines()));
        let mode = match variable(ANSWER_MODE) {
            None => AnswerMode::default(),
            Some(text) => AnswerMode::parse(&text).unwrap_or_else(|| {
                wrong.push(line(ANSWER_MODE, &format!("found {text:?}, allowed whole or partial")));
                AnswerMode::default()
            }),
        };
        // A setting of the topology may be set anew by the variable that Terraform makes of it.
        let number = |service: &topology::Service, setting: &str, wrong: &mut Vec<String>| {
            let name = setting.to_uppercase();
            let built_in = service.setting(setting);
            let Some(text) = variable(&name) else { return built_in };
            let number = text.parse().ok();
            if number.is_none() {
                wrong.push(line(&name, &format!("found {text:?}, allowed a whole number")));
            }
            number.or(built_in)
        };
        let own: Vec<(&String, Option<u64>)> =
            service.settings.keys().map(|setting| (setting, number(service, setting, &mut wrong))).collect();
        let setting = |name: &str, setting: &str| {
            let own = own.iter().find(|(known, _)| name == service.name && *known == setting);
            own.map_or_else(|| topology.service(name)?.setting(setting), |(_, number)| *number)
        };
        let services = shop::services_with(topology, setting)
            .map_err(|error| wrong.push(explain(&error, &service.name, &variable)));
        let seed = setting(&service.name, order_generator::SEED);
        if service.name == order_generator::NAME && seed.is_none() {
            wrong.push(format!("services.{}.settings.{}: missing", service.name, order_generator::SEED));
        }
        let (Ok(credentials), Ok(traces), Ok(services), true) = (credentials, traces, services, wrong.is_empty())
        else {
            return Err(Wrong(wrong));
        };
        // A function has its answer to give when a write has failed.
        let write_deadline = WRITE_DEADLINE.min(Duration::from_secs(u64::from(service.timeout_s)) / 2);
        let (kafka, name) = (Kafka { credentials, write_deadline }, service.name.clone());
        Ok(if name == order_generator::NAME {
            Self::Generator { kafka, traces, seed: seed.unwrap_or_default() }
        } else {
            Self::Consumer { kafka, traces, service: name, services, mode }
        })
    }
}

/// What is wrong with the services: of a setting that a variable has set anew, that variable.
fn explain(error: &ServicesError, own: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    if let ServicesError::Setting { service, setting, allowed, .. } = error
        && *service == own
        && let Some(found) = variable(&setting.to_uppercase())
    {
        return line(&setting.to_uppercase(), &format!("found {found:?}, allowed {allowed}"));
    }
    error.to_string()
}

/// What is wrong with a variable.
pub(crate) fn line(name: &str, problem: &str) -> String {
    format!("{name:<15} {problem}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::read(&Topology::built_in().unwrap(), variable).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refuses(variables: &[(&str, &str)], lines: &[&str]) {
        let are = if lines.len() == 1 { "setting is" } else { "settings are" };
        let expected = format!("{} {are} wrong\n  {}", lines.len(), lines.join("\n  "));
        assert_eq!(read(variables).err(), Some(expected));
    }

    #[test]
    fn the_handlers_are_hello_world_and_the_lambda_services_of_the_topology() {
        let topology = Topology::built_in().unwrap();
        let services = [
            "hello_world",
            "inventory_manager",
            "notification_handler",
            "order_generator",
            "payment_processor",
            "shipping_handler",
        ];
        assert_eq!(handlers(&topology), services);
        for handler in services {
            let settings = read(&[("_HANDLER", handler), ("KAFKA_BROKERS", "a:9092")]).unwrap();
            match (handler, settings) {
                ("hello_world", Settings::HelloWorld) | ("order_generator", Settings::Generator { .. }) => {}
                (_, Settings::Consumer { service, services, .. }) => {
                    assert_eq!(service, handler);
                    assert!(services.iter().any(|(subscription, _)| subscription.service == handler), "{handler}");
                }
                _ => panic!("{handler} is something else"),
            }
        }
    }

    #[test]
    fn a_handler_that_is_none_is_refused_with_those_that_are() {
        let known = "allowed hello_world, inventory_manager, notification_handler, order_generator, payment_processor, \
                     shipping_handler";
        refuses(&[], &[&format!("_HANDLER        missing, {known}")]);
        refuses(&[("_HANDLER", "mailer")], &[&format!("_HANDLER        found \"mailer\", {known}")]);
    }

    #[test]
    fn hello_world_needs_nothing_else() {
        assert!(matches!(read(&[("_HANDLER", "hello_world")]), Ok(Settings::HelloWorld)));
    }

    #[test]
    fn the_environment_goes_before_the_topology() {
        let mode =
            |text| match read(&[("_HANDLER", "payment_processor"), ("KAFKA_BROKERS", "a:1"), ("ANSWER_MODE", text)]) {
                Ok(Settings::Consumer { mode, .. }) => mode,
                _ => panic!("no consumer"),
            };
        assert_eq!((mode(""), mode("partial")), (AnswerMode::Whole, AnswerMode::Partial));
        let seed = |text| match read(&[("_HANDLER", "order_generator"), ("KAFKA_BROKERS", "a:1"), ("SEED", text)]) {
            Ok(Settings::Generator { seed, .. }) => seed,
            _ => panic!("no generator"),
        };
        assert_eq!((seed(""), seed("42")), (1, 42));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        refuses(
            &[("_HANDLER", "payment_processor"), ("ANSWER_MODE", "some"), ("SUCCESS_PERCENT", "many")],
            &[
                "KAFKA_BROKERS   missing: set HOST:PORT,HOST:PORT",
                "ANSWER_MODE     found \"some\", allowed whole or partial",
                "SUCCESS_PERCENT found \"many\", allowed a whole number",
            ],
        );
        refuses(
            &[("_HANDLER", "payment_processor"), ("KAFKA_BROKERS", "a"), (otlp::ENDPOINT, "c:4317")],
            &[
                "KAFKA_BROKERS   found \"a\", allowed HOST:PORT,HOST:PORT",
                "OTEL_EXPORTER_OTLP_ENDPOINT found \"c:4317\", allowed http://HOST:PORT, such as http://localhost:4318",
            ],
        );
        refuses(
            &[("_HANDLER", "payment_processor"), ("KAFKA_BROKERS", "a:1"), ("SUCCESS_PERCENT", "101")],
            &["SUCCESS_PERCENT found \"101\", allowed 0 to 100"],
        );
    }

    /// What stands in a function's environment on AWS, with these in place of or beside it.
    #[cfg(feature = "secrets-manager")]
    fn with_secrets<'v>(changed: &[(&'v str, &'v str)]) -> Vec<(&'v str, &'v str)> {
        let mut variables = vec![
            ("_HANDLER", "payment_processor"),
            ("KAFKA_BROKERS", "a:9093"),
            ("KAFKA_USERNAME", "payment_processor"),
            ("KAFKA_SECRET_ID", "user/payment_processor"),
            ("KAFKA_CA_SECRET_ID", "ca"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
        ];
        variables.retain(|(name, _)| changed.iter().all(|(changed, _)| changed != name));
        variables.extend(changed);
        variables
    }

    #[cfg(feature = "secrets-manager")]
    #[test]
    fn the_environment_may_name_two_secrets_in_place_of_what_they_hold() {
        let Ok(Settings::Consumer { kafka, .. }) = read(&with_secrets(&[])) else { panic!("no consumer") };
        assert!(matches!(kafka.credentials, Credentials::InSecrets(_)));
        let stated = [("KAFKA_SECRET_ID", ""), ("KAFKA_CA_SECRET_ID", ""), ("KAFKA_USERNAME", "")];
        let Ok(Settings::Consumer { kafka, .. }) = read(&with_secrets(&stated)) else { panic!("no consumer") };
        assert!(matches!(kafka.credentials, Credentials::Stated(_)));
    }

    #[cfg(feature = "secrets-manager")]
    #[test]
    fn secrets_come_both_and_with_their_user_and_not_beside_what_they_hold() {
        let refuses = |changed: &[(&str, &str)], lines: &[&str]| refuses(&with_secrets(changed), lines);
        refuses(
            &[("KAFKA_CA_SECRET_ID", "")],
            &["KAFKA_CA_SECRET_ID missing: KAFKA_SECRET_ID is set, and both are needed"],
        );
        refuses(
            &[("KAFKA_SECRET_ID", ""), ("KAFKA_USERNAME", ""), ("KAFKA_BROKERS", "a")],
            &[
                "KAFKA_BROKERS   found \"a\", allowed HOST:PORT,HOST:PORT",
                "KAFKA_USERNAME  missing: set the user of KAFKA_SECRET_ID",
                "KAFKA_SECRET_ID missing: KAFKA_CA_SECRET_ID is set, and both are needed",
            ],
        );
        let beside = "set beside KAFKA_SECRET_ID or KAFKA_CA_SECRET_ID: keep the secrets, or what they hold";
        refuses(
            &[("KAFKA_PASSWORD", "hidden"), ("KAFKA_CA_FILE", "/ca.pem"), ("AWS_REGION", "")],
            &[
                &format!("KAFKA_PASSWORD  {beside}"),
                &format!("KAFKA_CA_FILE   {beside}"),
                "AWS_REGION      missing: Lambda sets it, for who asks Secrets Manager",
            ],
        );
    }

    #[cfg(not(feature = "secrets-manager"))]
    #[test]
    fn secrets_are_refused_by_a_program_that_cannot_fetch_them() {
        refuses(
            &[("_HANDLER", "payment_processor"), ("KAFKA_SECRET_ID", "user")],
            &["KAFKA_SECRET_ID set, but this program was built without the feature secrets-manager"],
        );
    }
}
