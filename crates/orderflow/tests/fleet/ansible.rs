use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{REPOSITORY, succeeded};
use crate::fleet::Fleet;

/// The playbooks, played from the fleet's controller.
pub(crate) struct Ansible<'f> {
    fleet: &'f Fleet,
    /// Of its inventory.
    example: &'static str,
    /// Variables of every play.
    variables: Vec<String>,
    /// All that plays have said.
    said: RefCell<String>,
}

/// One play, as it ended.
pub(crate) struct Played {
    pub(crate) succeeded: bool,
    pub(crate) text: String,
    /// Tasks that changed something, by host.
    pub(crate) changed: BTreeMap<String, u32>,
    pub(crate) took: Duration,
}

impl Played {
    /// Tasks that changed something, of all hosts.
    pub(crate) fn changes(&self) -> u32 {
        self.changed.values().sum()
    }
}

impl<'f> Ansible<'f> {
    /// For a cluster.
    pub(crate) fn new(fleet: &'f Fleet) -> Self {
        Self::of(fleet, "inventory.example.ini")
    }

    /// For the hosts of this example.
    pub(crate) fn of(fleet: &'f Fleet, example: &'static str) -> Self {
        let sum = succeeded(Command::new("sha256sum").arg(&fleet.archive).output().unwrap());
        let archive = Path::new(fleet.archive.file_name().unwrap());
        let ansible = Self {
            fleet,
            example,
            variables: vec![
                format!("orderflow_folder={}", fleet.path("orderflow").display()),
                format!("kafka_archive_url=http://packages/files/{}", archive.display()),
                format!("kafka_archive_checksum=sha256:{}", &sum[..64]),
                format!("console_tools_binary={}", env!("CARGO_BIN_EXE_orderflow")),
            ],
            said: RefCell::default(),
        };
        ansible.write_inventory(|text| text);
        ansible
    }

    /// The example, whose hosts are reached at the addresses that they have within the cluster, changed.
    pub(crate) fn write_inventory(&self, change: impl FnOnce(String) -> String) {
        let example = fs::read_to_string(format!("{REPOSITORY}/ansible/{}", self.example)).unwrap();
        let at_home = |line: &str| {
            let words = line.split(' ').map(|word| match word.strip_prefix("ansible_host=") {
                Some(_) => {
                    let private = line.split(' ').find_map(|word| word.strip_prefix("private_address="));
                    format!("ansible_host={}", private.unwrap_or_default())
                }
                None => word.to_owned(),
            });
            words.collect::<Vec<_>>().join(" ") + "\n"
        };
        let text = example.lines().map(at_home).collect();
        fs::write(self.inventory(), change(text)).unwrap();
    }

    fn inventory(&self) -> PathBuf {
        self.fleet.path("inventory.ini")
    }

    /// `ansible-playbook BOOK`, with more arguments.
    pub(crate) fn play(&self, book: &str, more: &[&str]) -> Played {
        let begun = Instant::now();
        let config = self.fleet.own("ssh_config");
        let mut command = self.fleet.at("controller", "ci/ansible");
        command
            .env("ANSIBLE_SSH_ARGS", format!("-o ControlMaster=auto -o ControlPersist=30s -F {}", config.display()))
            .env("ANSIBLE_SSH_CONTROL_PATH_DIR", self.fleet.path("ssh"))
            .env("ANSIBLE_NOCOLOR", "1")
            .args(["exec", "--diff", "-i"])
            .arg(self.inventory());
        for variable in &self.variables {
            command.args(["-e", variable]);
        }
        let output = command.args(more).arg(book).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        self.said.borrow_mut().push_str(&text);
        let changed = text.lines().filter_map(recap).collect();
        Played { succeeded: output.status.success(), text, changed, took: begun.elapsed() }
    }

    /// A play that has to reach its end.
    #[track_caller]
    pub(crate) fn plays(&self, book: &str, more: &[&str]) -> Played {
        let played = self.play(book, more);
        assert!(played.succeeded, "{book} {more:?}:\n{}", played.text);
        println!("{book} {} took {:.0?}, changed {:?}", more.join(" "), played.took, played.changed);
        played
    }

    /// A play that has to stop with these words.
    #[track_caller]
    pub(crate) fn refuses(&self, words: &str, book: &str, more: &[&str]) {
        let played = self.play(book, more);
        let text = played.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!played.succeeded && text.contains(words), "not told: {words}\n{}", played.text);
        println!("{book} {} stopped after {:.0?}: {words}", more.join(" "), played.took);
    }

    pub(crate) fn said(&self) -> String {
        self.said.borrow().clone()
    }

    /// Each user's password.
    pub(crate) fn passwords(&self) -> BTreeMap<String, String> {
        let text = fs::read(self.fleet.path("orderflow/credentials.json")).unwrap();
        let credentials: Value = serde_json::from_slice(&text).unwrap();
        let passwords = credentials["kafka_passwords"].as_object().unwrap().iter();
        passwords.map(|(user, password)| (user.clone(), password.as_str().unwrap().to_owned())).collect()
    }
}

/// `kafka-1 : ok=41 changed=9 unreachable=0 ...`
fn recap(line: &str) -> Option<(String, u32)> {
    let (host, counts) = line.split_once(" : ok=").or_else(|| line.split_once(": ok="))?;
    let changed = counts.split_whitespace().find_map(|word| word.strip_prefix("changed="))?;
    Some((host.trim().to_owned(), changed.parse().ok()?))
}
