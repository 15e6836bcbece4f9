//! The command as an operator meets it: arguments, files and signals in; stdout, stderr, files and the exit status out.
#![cfg(test)]

mod audit; // what the topics tell of a run
mod call; // one call of the command, in a folder of its own
mod cluster; // a secured cluster to play with
#[path = "../../../otlp/tests/export/collector.rs"]
#[allow(dead_code, reason = "shared with the tests of otlp, which use the rest of it")]
mod collector; // a collector of spans
mod demo; // one order through the saga, as the README shows it
mod deploy; // what is refused before AWS is asked, and how stages are told of
mod digest; // equal orders, equal digest: whatever carries them
mod doctor; // what is wrong with a set-up, and what to do
mod dry_run; // events logged, nothing sent
mod flow; // the shop on a Kafka of the test's own
mod food; // food orders without a Kafka of theirs
mod generate; // orders as JSON lines
mod health; // brokers, database and workers asked how they are
mod help; // every command shows an example
mod inject; // events into a topic: which, how many, what becomes of bad lines
mod input; // bad lines set aside, good ones processed
mod interruption; // Ctrl-C and SIGTERM
mod inventory; // Ansible's, from what Terraform made
mod live; // the page, and who may see it
mod logs; // JSON lines on stderr, when asked for
mod manual; // completions and man pages
mod metrics; // what Prometheus and Grafana are given
mod monitor; // without a terminal, or asked for what it cannot do
mod report; // a run as a page to show around
mod run; // the result: its keys, its numbers, its words
mod simulate; // schedules, verdicts, replays
mod spans; // of a run, told to a collector, or to nobody
mod topics; // settings that do not serve
mod topology; // the file that ships, and broken ones
mod unreachable; // brokers that do not answer, and what each command says of them
#[path = "../kafka/until.rs"]
mod until; // something is so
mod usage; // what is refused before anything starts

use until::until;

/// How long a test waits until something is so.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
