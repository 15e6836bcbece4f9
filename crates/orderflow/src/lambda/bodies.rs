//! The bodies of AWS's API for what the topology puts on Lambda.

use ::topology::{Consumption, Host, Service, Topology};
use serde_json::{Value, json};
use shop::order_generator;

use super::secrets::Secrets;

/// The body of `CreateSchedule`: an invocation of order_generator whose orders derive from its time.
pub(super) fn schedule(expression: &str) -> Value {
    let name = order_generator::NAME;
    let input = json!({"scheduled_time": "<aws.scheduler.scheduled-time>"}).to_string();
    json!({"Name": name, "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"), "Input": input,
            "RoleArn": format!("arn:aws:iam::000000000000:role/{name}")}})
}

/// How the functions are deployed.
pub(super) struct Deployment<'a> {
    pub(super) topology: &'a Topology,
    pub(super) brokers: &'a str,
    pub(super) secrets: &'a Secrets,
    /// Whether functions report single records, which their mappings have to know: in provisioned mode alone.
    pub(super) reports_failures: bool,
    /// What functions are told of a collector.
    pub(super) traces: &'a [(&'static str, String)],
}

impl Deployment<'_> {
    /// The body of `CreateFunction`.
    pub(super) fn function(&self, name: &str, zip: &str) -> Value {
        let mode = if self.reports_failures { "partial" } else { "whole" };
        let mut variables = json!({"KAFKA_BROKERS": self.brokers, "ANSWER_MODE": mode});
        for (name, value) in self.secrets.variables(name) {
            variables[name] = json!(value);
        }
        for (name, value) in self.traces {
            variables[name] = json!(value);
        }
        let service = self.topology.service(name);
        for (setting, number) in service.iter().flat_map(|service| &service.settings) {
            variables[setting.to_uppercase()] = json!(number.to_string());
        }
        let (timeout, memory) = service.map_or((3, 128), |service| (service.timeout_s, service.memory_mib));
        json!({"FunctionName": name, "Runtime": "provided.al2023", "Handler": name, "Timeout": timeout,
            "MemorySize": memory, "Code": {"ZipFile": zip}, "Environment": {"Variables": variables}})
    }

    /// The bodies of `CreateEventSourceMapping`, one a consumer group.
    pub(super) fn mappings(&self) -> Vec<Value> {
        let is_ours = |(service, _): &(&Service, &Consumption)| service.host == Host::Lambda;
        self.topology.groups().filter(is_ours).map(|(service, group)| self.mapping(service, group)).collect()
    }

    fn mapping(&self, service: &Service, group: &Consumption) -> Value {
        let brokers: Vec<&str> = self.brokers.split(',').collect();
        let mut body = json!({"FunctionName": service.name, "Topics": [group.topic], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": brokers}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group.group}, "BatchSize": group.batch_records});
        if let Some(access) = self.secrets.access(&service.name) {
            body["SourceAccessConfigurations"] = access;
        }
        if self.reports_failures {
            body["FunctionResponseTypes"] = json!(["ReportBatchItemFailures"]);
            body["ProvisionedPollerConfig"] = json!({});
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ::topology::System;
    use lambda_emulator::{CreateEventSourceMapping, CreateFunction, CreateSchedule};

    use super::*;

    #[test]
    fn functions_and_mappings_are_those_of_the_topology_and_workers_have_none() {
        let topology = Topology::built_in().unwrap();
        let secrets = Secrets::default();
        let deployment = |reports_failures| Deployment {
            topology: &topology,
            brokers: "a:1,b:2",
            secrets: &secrets,
            reports_failures,
            traces: &[],
        };
        for reports_failures in [false, true] {
            let groups: BTreeSet<String> = deployment(reports_failures)
                .mappings()
                .into_iter()
                .map(|body| {
                    let body: CreateEventSourceMapping = serde_json::from_value(body).unwrap();
                    assert_eq!(body.self_managed_event_source.endpoints["KAFKA_BOOTSTRAP_SERVERS"], ["a:1", "b:2"]);
                    body.self_managed_kafka_event_source_config.consumer_group_id.unwrap()
                })
                .collect();
            let of_the_shop = topology.services_of(System::Shop).flat_map(|service| &service.consumes);
            assert_eq!(groups, of_the_shop.map(|group| group.group.clone()).collect());
            assert_eq!(groups.len(), 6);
        }
        let body = deployment(true).function("payment_processor", "fileb://z");
        let body: CreateFunction = serde_json::from_value(body).unwrap();
        let variables: Vec<(&str, &str)> =
            body.environment.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(variables, [("ANSWER_MODE", "partial"), ("KAFKA_BROKERS", "a:1,b:2"), ("SUCCESS_PERCENT", "90")]);
        let traces = [(otlp::ENDPOINT, "http://c:4318".to_owned())];
        let traced = Deployment { traces: &traces, ..deployment(true) }.function("payment_processor", "fileb://z");
        assert_eq!(traced["Environment"]["Variables"][otlp::ENDPOINT], "http://c:4318");
        assert_eq!((body.timeout, body.memory_size, body.handler.as_str()), (30, 128, "payment_processor"));
    }

    #[test]
    fn the_schedule_invokes_the_generator_for_the_time_that_the_schedule_states() {
        let body = CreateSchedule::from_json(schedule("rate(1 minute)")).unwrap();
        assert_eq!((body.name.as_str(), body.schedule_expression.as_str()), ("order_generator", "rate(1 minute)"));
        assert!(body.target.arn.ends_with(":function:order_generator"));
        assert_eq!(body.target.input, r#"{"scheduled_time":"<aws.scheduler.scheduled-time>"}"#);
    }
}
