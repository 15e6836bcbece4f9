use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Deploy;
use crate::deployment::Host;
use crate::stages::Done;
use crate::tool::{Stop, Tools};
use crate::{Error, aws, counted, tell};

/// How often hosts are asked.
const ASK_EVERY: Duration = Duration::from_secs(3);

/// EC2 shows what a host prints at its start minutes later.
const CONSOLE_PATIENCE: Duration = Duration::from_secs(900);

/// From `running` to an answer.
const BOOT_PATIENCE: Duration = Duration::from_secs(300);

/// Between these lines cloud-init prints a host's public keys.
const KEYS: (&str, &str) = ("-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----");

/// What is tried from a host for each `NAME:PORT`: whoever answers, if only by a refusal, was let through. With a firewall of its
/// own, which Ansible brings, a host refuses what nobody serves.
const PROBE: &str = r#"
if systemctl --quiet is-active nftables; then echo guarded; exit; fi
for target in TARGETS; do
  (
    name=${target%:*} port=${target#*:}
    if ! getent hosts "$name" >/dev/null; then echo "does not know the name $name"
    elif ! said=$(timeout 5 bash -c ": </dev/tcp/$name/$port" 2>&1) && [[ $said != *refused* ]]; then echo "does not reach $target"
    fi
  ) &
done
wait
"#;

/// What a host says that has its own firewall.
const GUARDED: &str = "guarded";

type Hosts = BTreeMap<String, Host>;

impl Deploy<'_> {
    /// Waits until every host answers with the key that AWS tells of it; then hosts reach each other where rules let them.
    pub(super) fn ssh(&self, tools: &mut Tools<'_>) -> Result<Done, Stop> {
        if self.args.plan {
            return Ok(Done::unchanged("nothing to show"));
        }
        let hosts = self.deployment.hosts()?;
        self.deployment.write_ssh_config(&hosts)?;
        self.learn_keys(&hosts, tools)?;
        self.wait_for_answers(&hosts, tools)?;
        let rules = self.deployment.output(self.system().root_of_hosts(), "ingress")?;
        let ways = ways(&hosts, &rules);
        let ways = match self.expect_ways(&hosts, &ways)? {
            _ if ways.is_empty() => String::new(),
            0 => "; ways between them are Ansible's to try".to_owned(),
            tried => format!("; {tried} ways between them are open"),
        };
        Ok(Done::unchanged(format!(
            "{} reached, each with the key that AWS tells of it{ways}",
            counted(hosts.len() as u64, "host")
        )))
    }

    /// Asks AWS for each host's key, over its own API: a first connection would take whatever key it is shown.
    fn learn_keys(&self, hosts: &Hosts, tools: &mut Tools<'_>) -> Result<(), Stop> {
        let begun = Instant::now();
        let path = self.deployment.known_hosts();
        let known = fs::read_to_string(&path).unwrap_or_default();
        let mut keys: BTreeMap<&str, String> = BTreeMap::new();
        for (name, host) in hosts {
            // An address may change, and may come to another host: the instance is what has the key.
            let line = known.lines().find(|line| line.ends_with(&format!(" {}", host.instance_id)));
            if let Some((_, key)) = line.and_then(|line| line.split_once(' ')) {
                keys.insert(name, key.to_owned());
            }
        }
        loop {
            let unknown: Vec<(&String, &Host)> =
                hosts.iter().filter(|(name, _)| !keys.contains_key(name.as_str())).collect();
            for ((name, host), key) in unknown.iter().zip(self.ask_for_keys(&unknown)) {
                if let Some(key) = key? {
                    keys.insert(name, format!("{key} {}", host.instance_id));
                }
            }
            let missing: Vec<&str> = hosts.keys().map(String::as_str).filter(|name| !keys.contains_key(name)).collect();
            if missing.is_empty() {
                break;
            }
            if begun.elapsed() > CONSOLE_PATIENCE {
                return Err(Error::Failed(format!(
                    "AWS does not show what {} printed at the start, in which the host's key stands: `aws ec2 get-console-output` may show it later; \
                     or trust the key that answers: ssh-keyscan -t ed25519 ADDRESS, its lines with the instance's id at the end into {}",
                    missing.join(", "),
                    path.display()
                ))
                .into());
            }
            tools.note(&format!("waiting for AWS to show the keys of {}", missing.join(", ")))?;
            tools.interruptions().pause(ASK_EVERY)?;
        }
        let lines: String = keys.iter().map(|(name, key)| format!("{} {key}\n", hosts[*name].public_address)).collect();
        Ok(self.deployment.write("ssh/known_hosts", &lines)?)
    }

    /// What each has printed of its key, in their order.
    fn ask_for_keys(&self, hosts: &[(&String, &Host)]) -> Vec<Result<Option<String>, Error>> {
        let ask = |(_, host): &(&String, &Host)| {
            let words = ["ec2", "get-console-output", "--query", "Output", "--instance-id", &host.instance_id];
            words.map(str::to_owned).to_vec()
        };
        let answers = aws::calls(self.region(), &hosts.iter().map(ask).collect::<Vec<_>>());
        answers.into_iter().map(|output| Ok(output?.as_str().and_then(key_in))).collect()
    }

    fn wait_for_answers(&self, hosts: &Hosts, tools: &mut Tools<'_>) -> Result<(), Stop> {
        let begun = Instant::now();
        let mut silent: BTreeMap<&str, String> = hosts.keys().map(|name| (name.as_str(), String::new())).collect();
        loop {
            let names: Vec<&str> = silent.keys().copied().collect();
            for (name, output) in self.on_each(names.iter().map(|name| (*name, "hostname".to_owned())))? {
                let (said, reason) = (text(&output.stdout), text(&output.stderr));
                if output.status.success() && said == name {
                    silent.remove(name);
                } else if output.status.success() {
                    return Err(
                        Error::Failed(format!("{name} calls itself {said}: is its address another host's?")).into()
                    );
                } else if reason.contains("Host key verification failed") {
                    return Err(Error::Failed(format!(
                        "{name} shows another key than AWS tells of it: somebody may stand between; `aws ec2 get-console-output --instance-id {}` has the right one",
                        hosts[name].instance_id
                    ))
                    .into());
                } else {
                    silent.insert(name, reason.lines().last().unwrap_or_default().to_owned());
                }
            }
            if silent.is_empty() {
                return Ok(());
            }
            let told: Vec<String> = silent.iter().map(|(name, reason)| format!("{name} ({reason})")).collect();
            if begun.elapsed() > BOOT_PATIENCE {
                let from = self.deployment.settings().ssh_from.join(", ");
                return Err(Error::Failed(format!(
                    "no answer from {}: port 22 is open to {from}; if that is no longer you, `orderflow deploy{} --ssh-from ADDRESS`",
                    told.join(", "),
                    self.system().argument()
                ))
                .into());
            }
            tools.note(&format!("waiting for {}", told.join(", ")))?;
            tools.interruptions().pause(ASK_EVERY)?;
        }
    }

    /// Tries each way from its host, unless that has its own firewall by now; gives how many were tried.
    fn expect_ways(&self, hosts: &Hosts, ways: &BTreeSet<(String, String)>) -> Result<usize, Error> {
        let scripts = hosts.keys().map(|from| {
            let targets: Vec<&str> = ways.iter().filter(|(of, _)| of == from).map(|(_, to)| to.as_str()).collect();
            // Spelt for the shell of the host, whichever it is.
            (from.as_str(), format!("bash -c '{}'", PROBE.replace("TARGETS", &targets.join(" "))))
        });
        let (mut closed, mut tried) = (Vec::new(), 0);
        for (from, output) in self.on_each(scripts)? {
            if !output.status.success() {
                closed.push(format!("{from} cannot be asked: {}", text(&output.stderr)));
            } else if text(&output.stdout) != GUARDED {
                tried += ways.iter().filter(|(of, _)| of == from).count();
                closed.extend(text(&output.stdout).lines().map(|line| format!("{from} {line}")));
            }
        }
        if closed.is_empty() {
            return Ok(tried);
        }
        for line in &closed {
            tell(line);
        }
        Err(Error::Failed(format!(
            "{} ways between hosts are closed, though security groups name them: {}",
            closed.len(),
            closed[0]
        )))
    }

    /// A command on each, all at once.
    fn on_each<'h>(&self, scripts: impl Iterator<Item = (&'h str, String)>) -> Result<Vec<(&'h str, Output)>, Error> {
        thread::scope(|scope| {
            let spawn = |(name, script): (&'h str, String)| {
                (name, scope.spawn(move || self.deployment.on(name, &script).output()))
            };
            let running: Vec<_> = scripts.map(spawn).collect();
            running
                .into_iter()
                .map(|(name, running)| {
                    let output = running.join().map_err(|_| Error::Failed("a thread ended".into()))?;
                    output.map(|output| (name, output)).map_err(|error| Error::Failed(format!("ssh: {error}")))
                })
                .collect()
        })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// A host's key, as it printed it at its start; the last one, if it started several times.
fn key_in(console: &str) -> Option<String> {
    let (_, block) = console.rsplit_once(KEYS.0)?;
    let (block, _) = block.split_once(KEYS.1)?;
    let key = block.lines().map(str::trim).find(|line| line.starts_with("ssh-ed25519 "))?;
    let words: Vec<&str> = key.split_whitespace().take(2).collect();
    (words.len() == 2).then(|| words.join(" "))
}

/// Who has to reach whom among the hosts, as `(FROM, NAME:PORT)`: what rules such as `zookeeper:2181 from kafka` say of their groups.
fn ways(hosts: &Hosts, rules: &Value) -> BTreeSet<(String, String)> {
    let mut ways = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let Some(((to, port), from)) =
            rule.split_once(" from ").and_then(|(to, from)| Some((to.split_once(':')?, from)))
        else {
            continue;
        };
        for (name, _) in hosts.iter().filter(|(_, host)| host.role == from) {
            let others = hosts.iter().filter(|(other, host)| host.role == to && *other != name);
            ways.extend(others.map(|(_, host)| (name.clone(), format!("{}:{port}", host.name))));
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_host_tells_its_key_on_its_console() {
        let console = "boot\r\n-----BEGIN SSH HOST KEY KEYS-----\r\necdsa-sha2-nistp256 AAAAE2 root@a\r\nssh-ed25519 AAAAC3old root@a\r\n\
            -----END SSH HOST KEY KEYS-----\r\nmore\r\n-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAAC3new root@a\n-----END SSH HOST KEY KEYS-----\n";
        assert_eq!(key_in(console).as_deref(), Some("ssh-ed25519 AAAAC3new"));
        for text in [
            "",
            "ssh-ed25519 AAAA",
            "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAA",
            "-----BEGIN SSH HOST KEY KEYS-----\nssh-rsa A\n-----END SSH HOST KEY KEYS-----",
        ] {
            assert_eq!(key_in(text), None, "{text}");
        }
    }

    #[test]
    fn hosts_have_to_reach_whom_the_rules_of_their_groups_name_but_not_themselves() {
        let host = |role: &str, name: &str| {
            let host = Host {
                role: role.into(),
                instance_id: "i".into(),
                name: format!("{name}.internal"),
                public_address: "203.0.113.1".into(),
            };
            (name.to_owned(), host)
        };
        let hosts: Hosts = [host("zookeeper", "z-1"), host("kafka", "k-1"), host("kafka", "k-2")].into();
        let rules = json!([
            "zookeeper:2181 from kafka",
            "kafka:9092 from kafka",
            "ssh:22 from 203.0.113.7/32",
            "kafka:9093 from functions"
        ]);
        let expected = [
            ("k-1", "k-2.internal:9092"),
            ("k-1", "z-1.internal:2181"),
            ("k-2", "k-1.internal:9092"),
            ("k-2", "z-1.internal:2181"),
        ];
        let expected: BTreeSet<_> = expected.map(|(from, to)| (from.to_owned(), to.to_owned())).into();
        assert_eq!(ways(&hosts, &rules), expected);
    }
}
