//! `orderflow doctor`: what is wrong with this set-up, and what to do about it.

use std::fmt::Write as _;

use ::topology::Topology;
use serde_json::{Map, Value, json};
use tracing_subscriber::filter::LevelFilter;

use crate::connect::Brokers;
use crate::{Error, Format, Status, counted, logging, print};

mod cluster; // the Kafka that flag or environment name
mod credentials; // as whom, and whom we trust
mod machine; // memory, disk, files, clock
mod ports; // that commands take by default
mod tools; // programs of others

/// Looks over this machine, the programs of others, ports, settings and credentials, and the Kafka at --brokers or KAFKA_BROKERS, and says
/// what is wrong and what to do about it. Nothing is changed, and nothing asked of AWS.
#[derive(clap::Args)]
#[command(after_help = "Example: orderflow doctor --brokers localhost:9092")]
pub(crate) struct Args {
    #[command(flatten)]
    brokers: Brokers,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Looks at all of it and prints a line for each; `file` is what the topology is called.
///
/// # Errors
/// Where stdout cannot be written to.
pub(crate) fn execute(args: &Args, topology: &Topology, file: &str) -> Result<Status, Error> {
    logging::start(LevelFilter::OFF);
    let mut groups = vec![("machine", machine::look()), ("tools", tools::look()), ("ports", ports::look())];
    let (connection, credentials) = credentials::look(&args.brokers);
    groups.push(("credentials", credentials));
    if let Some(connection) = connection {
        groups.push(("cluster", cluster::look(&connection, topology, file)));
    }
    let diagnosis = Diagnosis(groups);
    print(&match args.format {
        Format::Text => diagnosis.text(),
        Format::Json => format!("{:#}\n", diagnosis.document()),
    })?;
    Ok(if diagnosis.count(Level::Wrong) == 0 { Status::Holds } else { Status::Fails })
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// As it should be.
    Ok,
    /// Something does not work, or soon will not, that not everybody needs.
    Warning,
    /// Something does not work.
    Wrong,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// What was looked at, how it is, and what to do if that is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    what: String,
    level: Level,
    found: String,
    to_do: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), level: Level::Ok, found: found.into(), to_do: None }
    }

    fn warning(what: impl Into<String>, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { what: what.into(), level: Level::Warning, found: found.into(), to_do: Some(to_do.into()) }
    }

    fn wrong(what: impl Into<String>, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { what: what.into(), level: Level::Wrong, found: found.into(), to_do: Some(to_do.into()) }
    }

    /// As somebody else told it: what to do stands in the text.
    fn told(what: impl Into<String>, error: &impl ToString) -> Self {
        Self { what: what.into(), level: Level::Wrong, found: error.to_string(), to_do: None }
    }
}

/// All that was found, in groups.
struct Diagnosis(Vec<(&'static str, Vec<Finding>)>);

impl Diagnosis {
    fn count(&self, level: Level) -> u64 {
        self.0.iter().flat_map(|(_, findings)| findings).filter(|finding| finding.level == level).count() as u64
    }

    fn text(&self) -> String {
        let all = || self.0.iter().flat_map(|(_, findings)| findings);
        let width = all().map(|finding| finding.what.len()).max().unwrap_or_default();
        let mut text = String::new();
        for (group, findings) in &self.0 {
            let _ = writeln!(text, "{group}"); // writing to memory does not fail
            for Finding { what, level, found, to_do } in findings {
                let _ = writeln!(text, "  {:<7}  {what:width$}  {found}", level.word());
                if let Some(to_do) = to_do {
                    let _ = writeln!(text, "  {:<7}  {:width$}  -> {to_do}", "", "");
                }
            }
        }
        let warnings = counted(self.count(Level::Warning), "warning");
        let _ = match self.count(Level::Wrong) {
            0 => writeln!(text, "\nnothing is wrong, {warnings}"),
            1 => writeln!(text, "\n1 thing is wrong, {warnings}"),
            wrong => writeln!(text, "\n{wrong} things are wrong, {warnings}"),
        };
        text
    }

    fn document(&self) -> Value {
        let one = |Finding { what, level, found, to_do }: &Finding| json!({"what": what, "level": level.word(), "found": found, "to_do": to_do});
        let groups: Map<String, Value> =
            self.0.iter().map(|(group, findings)| ((*group).to_owned(), findings.iter().map(one).collect())).collect();
        let (wrong, warnings) = (self.count(Level::Wrong), self.count(Level::Warning));
        json!({"well": wrong == 0, "wrong": wrong, "warnings": warnings, "groups": groups})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_with_its_word_and_what_to_do_below_it() {
        let diagnosis = Diagnosis(vec![
            ("machine", vec![Finding::ok("memory", "5.0 GiB")]),
            (
                "tools",
                vec![Finding::warning("java", "not there", "install it"), Finding::wrong("kafka", "broken", "mend it")],
            ),
        ]);
        let expected = "machine\n  ok       memory  5.0 GiB\ntools\n  warning  java    not there\n                   -> install it\n\
            \x20 wrong    kafka   broken\n                   -> mend it\n\n1 thing is wrong, 1 warning\n";
        assert_eq!(diagnosis.text(), expected);
        let document = diagnosis.document();
        assert_eq!(
            (&document["well"], &document["wrong"], &document["warnings"]),
            (&false.into(), &1.into(), &1.into())
        );
        let java = json!({"what": "java", "level": "warning", "found": "not there", "to_do": "install it"});
        assert_eq!(document["groups"]["tools"][0], java);
    }
}
