use std::fmt;
use std::sync::{Mutex, PoisonError};

use kafka_transport::Connection;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::sample::{Sample, Sampler, Watched};
use super::trend;
use crate::Error;
use crate::metrics::cluster;

/// How a cluster stands, asked whenever somebody looks.
pub(super) struct Collected {
    connection: Connection,
    watched: Watched,
    /// Of its own, from the first look on. Whoever looks meanwhile waits.
    sampler: Mutex<Option<Sampler>>,
}

impl Collected {
    pub(super) fn new(connection: Connection, watched: Watched) -> Self {
        Self { connection, watched, sampler: Mutex::default() }
    }

    fn sample(&self) -> Result<Sample, Error> {
        let mut sampler = self.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *sampler {
            Some(sampler) => sampler.take(&self.watched),
            None => sampler.insert(Sampler::connect(&self.connection, &self.watched)?).take(&self.watched),
        }
    }
}

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected").finish_non_exhaustive()
    }
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sample = self.sample().ok();
        // What a user may not see is as good as no answer: its groups would be missing without a word.
        let answers = sample.as_ref().is_some_and(|sample| sample.refusal.is_none());
        let metric = cluster::ANSWERS;
        let family = encoder.encode_descriptor(metric.family, metric.help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(answers)).encode(family)?;
        sample.map_or(Ok(()), |sample| encode(&mut encoder, &self.watched, &sample))
    }
}

fn encode(encoder: &mut DescriptorEncoder<'_>, watched: &Watched, sample: &Sample) -> fmt::Result {
    for metric in [cluster::GROUP_LAG, cluster::GROUP_MEMBERS] {
        let mut family = encoder.encode_descriptor(metric.family, metric.help, None, MetricType::Gauge)?;
        for group in &watched.groups {
            let count = match metric {
                cluster::GROUP_LAG => trend::total(sample, group),
                _ => sample.members_of(&group.name),
            };
            let Some(count) = count else { continue };
            let labels = [("service", group.service.as_str()), ("topic", group.topic.as_str())];
            ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX)).encode(family.encode_family(&labels)?)?;
        }
    }
    let metric = cluster::TOPIC_RECORDS;
    let mut family = encoder.encode_descriptor(metric.family, metric.help, None, MetricType::Counter)?;
    for topic in &watched.topics {
        let Some(logs) = sample.logs.get(topic.as_str()) else { continue };
        // A partition without a leader is not known: a sum without it would look as if all had begun anew.
        let ends: Option<Vec<i64>> = logs.iter().map(|log| log.as_ref().map(|log| log.end)).collect();
        let Some(ends) = ends else { continue };
        let written = u64::try_from(ends.iter().sum::<i64>()).unwrap_or(0);
        ConstCounter::new(written).encode(family.encode_family(&[("topic", topic.as_str())])?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ::topology::Topology;
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::System;

    /// Tells of a sample instead of a cluster.
    #[derive(Debug)]
    struct Of(Watched, Sample);

    impl Collector for Of {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            encode(&mut encoder, &self.0, &self.1)
        }
    }

    fn told(collector: impl Collector) -> Vec<String> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(collector));
        let mut text = String::new();
        text::encode(&mut text, &registry).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn groups_and_topics_are_told_and_what_is_not_known_is_not() {
        let topology = Topology::built_in().unwrap();
        let watched = Watched::of(&topology, Some(System::Food));
        let sample = Sample {
            logs: BTreeMap::from([
                ("food-orders".to_owned(), vec![Some(0..70), Some(10..30)]),
                ("food-order-numbers".to_owned(), vec![Some(0..5), None]),
            ]),
            committed: BTreeMap::from([("order-processors".to_owned(), vec![Some(60), Some(30)])]),
            members: Some(BTreeMap::from([("order-processors".to_owned(), 2)])),
            ..Sample::default()
        };
        let told = told(Of(watched, sample));
        let expected = [
            "orderflow_group_lag_records{service=\"food_consumer\",topic=\"food-orders\"} 10",
            "orderflow_group_members{service=\"food_consumer\",topic=\"food-orders\"} 2",
            "orderflow_topic_records_total{topic=\"food-orders\"} 100",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_cluster_that_does_not_answer_is_told_as_that() {
        let nowhere = Connection::plaintext("127.0.0.1:1");
        assert_eq!(told(Collected::new(nowhere, Watched::default())), ["orderflow_cluster_answers 0"]);
    }
}
