use std::env;
use std::io;
use std::thread;
use std::time::Duration;

use kafka_cluster::Distribution;

use super::Finding;
use crate::programs::{PROGRAMS, Program, Said};
use crate::shown;

/// How long a program may take to tell its version: those in Python take seconds on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

pub(super) fn look() -> Vec<Finding> {
    // All at once: together they take as long as the slowest.
    let asked: Vec<_> =
        PROGRAMS.iter().map(|program| thread::spawn(|| judge(program, program.ask(DEADLINE)))).collect();
    let mut findings: Vec<Finding> = asked.into_iter().filter_map(|one| one.join().ok()).collect();
    findings.push(kafka());
    findings
}

/// Kafka itself, for `cluster up`.
fn kafka() -> Finding {
    let is_named = env::var_os("KAFKA_HOME").is_some_and(|home| !home.is_empty());
    match Distribution::find() {
        Ok(_) => Finding::ok("kafka", if is_named { "in KAFKA_HOME" } else { "where ci/kafka-dist puts it" }),
        Err(error) if is_named => Finding::told("kafka", &format!("KAFKA_HOME: {error}")),
        Err(error) => {
            Finding::warning("kafka", error.to_string(), "for `cluster up`; `orderflow run` has a Kafka of its own")
        }
    }
}

/// Whether a program serves, by what it said of itself.
fn judge(program: &Program, said: io::Result<Said>) -> Finding {
    let Program { name, from, needed_by, how, .. } = program;
    let why = format!("for {needed_by}: {how}");
    let said = match said {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Finding::warning(*name, "not there", why),
        Err(error) => return Finding::warning(*name, format!("does not run: {error}"), why),
        Ok(said) => said,
    };
    if !said.has_succeeded {
        // One that has no call for its version says how it is called, and is there.
        if said.text.contains("usage:") {
            return Finding::ok(*name, "there");
        }
        let last = said.text.lines().last().unwrap_or_default();
        return Finding::warning(*name, format!("does not run: {}", shown(last)), why);
    }
    let text = |parts: &[u32]| parts.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    match (from, version(&said.text)) {
        (None, None) => Finding::ok(*name, "there"),
        (Some(from), None) => {
            Finding::warning(*name, format!("does not tell its version, needed is {} or later", text(from)), why)
        }
        (Some(from), Some(version)) if is_before(&version, from) => {
            Finding::warning(*name, format!("{}, needed is {} or later", text(&version), text(from)), why)
        }
        (_, Some(version)) => Finding::ok(*name, text(&version)),
    }
}

/// Whether a version comes before another one; what it does not state is 0.
fn is_before(version: &[u32], other: &[u32]) -> bool {
    version.iter().chain(&[0; 2]).take(other.len()).lt(other)
}

/// The first number in what a program said, with what follows it after dots.
fn version(text: &str) -> Option<Vec<u32>> {
    // What Java first says of options that the environment gives it is no version.
    let mut lines = text.lines().filter(|line| !line.starts_with("Picked up "));
    let line = lines.find(|line| line.contains(|letter: char| letter.is_ascii_digit()))?;
    let from = line.find(|letter: char| letter.is_ascii_digit())?;
    let number = line[from..].split(|letter: char| !letter.is_ascii_digit() && letter != '.').next()?;
    number.split('.').filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn judged(name: &str, has_succeeded: bool, text: &str) -> Finding {
        let program = PROGRAMS.iter().find(|program| program.name == name).unwrap();
        judge(program, Ok(Said { has_succeeded, text: text.to_owned() }))
    }

    #[test]
    fn a_version_is_found_in_whatever_a_program_says() {
        for (text, expected) in [
            ("openjdk version \"17.0.15\" 2025-04-15", vec![17, 0, 15]),
            ("Picked up JAVA_TOOL_OPTIONS: -Xmx512m\njava version \"21\" 2023-09-19 LTS", vec![21]),
            ("Terraform v1.11.4\non linux_amd64", vec![1, 11, 4]),
            ("ansible-playbook [core 2.19.14]\n  config file = None", vec![2, 19, 14]),
            ("aws-cli/2.17.0 Python/3.11.9", vec![2, 17, 0]),
            ("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)", vec![15, 13]),
            ("OpenSSH_9.2p1 Debian-2", vec![9, 2]),
        ] {
            assert_eq!(version(text), Some(expected), "{text}");
        }
        assert_eq!(version("usage: something"), None);
    }

    #[test]
    fn a_program_that_is_too_old_is_told_with_what_needs_it_and_how_to_get_another() {
        assert_eq!(judged("java", true, "openjdk version \"17.0.15\""), Finding::ok("java", "17.0.15"));
        let old = judged("java", true, "openjdk version \"11.0.2\"");
        let to_do = "for cluster up: Debian's package openjdk-17-jre-headless";
        assert_eq!(old, Finding::warning("java", "11.0.2, needed is 17.0 or later", to_do));
        assert_eq!(judged("java", true, "openjdk version \"17\" 2021-09-14"), Finding::ok("java", "17"));
        assert_eq!(judged("terraform", true, "Terraform v1.9.8").level, Level::Warning);
        assert_eq!(judged("terraform", true, "Terraform v2.0.1"), Finding::ok("terraform", "2.0.1"));
    }

    #[test]
    fn a_program_that_is_not_there_or_does_not_run_is_a_warning() {
        let program = PROGRAMS.iter().find(|program| program.name == "aws").unwrap();
        let missing = judge(program, Err(io::ErrorKind::NotFound.into()));
        assert_eq!((missing.level, missing.found.as_str()), (Level::Warning, "not there"));
        assert!(missing.to_do.unwrap().starts_with("for deploy, destroy, lambda invoke --aws: the AWS CLI"));
        let broken = judged("terraform", false, "terraform: cannot execute");
        assert_eq!(broken.found, "does not run: terraform: cannot execute");
        assert_eq!(judged("ssh-keygen", false, "usage: ssh-keygen [-t ed25519]"), Finding::ok("ssh-keygen", "there"));
    }
}
