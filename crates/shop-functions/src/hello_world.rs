//! Proves that a function runs at all: no Kafka, no settings.

use lambda_host::{Function, Invocation, InvocationError};
use serde_json::value::{RawValue, to_raw_value};

/// The handler's name.
pub(crate) const NAME: &str = "hello_world";

pub(crate) struct HelloWorld;

impl Function for HelloWorld {
    fn invoke(&self, _: &[u8], _: &Invocation) -> Result<Box<RawValue>, InvocationError> {
        to_raw_value(hello_world()).map_err(|error| InvocationError::new("Answer", error))
    }
}

/// What every invocation is answered with, as requirement A05 has it.
const fn hello_world() -> &'static str {
    "Hello World"
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn test_hello_world() {
        assert_eq!(hello_world(), "Hello World");
    }

    #[test]
    fn every_event_is_answered_alike() {
        let invocation = Invocation { request_id: "r".into(), deadline: Instant::now() };
        for event in ["{}", "null", r#"{"a":1}"#] {
            assert_eq!(HelloWorld.invoke(event.as_bytes(), &invocation).unwrap().get(), r#""Hello World""#);
        }
    }
}
