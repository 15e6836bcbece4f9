//! What a node is started with: the main class and the virtual machine's settings.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Distribution;
use crate::shared_classes::{Recording, SharedClasses};

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A broker that is its own controller.
    KraftBroker,
    /// A broker that relies on ZooKeeper.
    Broker,
    /// A ZooKeeper server.
    ZooKeeper,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::KraftBroker => "kraft-broker",
            Self::Broker => "broker",
            Self::ZooKeeper => "zookeeper",
        }
    }

    const fn main_class(self) -> &'static str {
        match self {
            Self::KraftBroker | Self::Broker => "kafka.Kafka",
            Self::ZooKeeper => "org.apache.zookeeper.server.quorum.QuorumPeerMain",
        }
    }

    const fn settings(self) -> &'static [&'static str] {
        match self {
            Self::KraftBroker | Self::Broker => &["-Xmx256m"],
            // What it would wait for is a disk, and what it would allocate ahead is 64 MiB a server.
            Self::ZooKeeper => &["-Xmx64m", "-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=64"],
        }
    }
}

/// How long a node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// As long as the thread that started it.
    Thread {
        /// Whether that is minutes.
        is_long: bool,
    },
    /// Until somebody ends it.
    Detached,
}

/// A command line that starts one node, again and again.
pub(crate) struct Launch {
    lifetime: Lifetime,
    java: PathBuf,
    arguments: Vec<OsString>,
    log: PathBuf,
    classes: SharedClasses,
}

impl Launch {
    /// `folder` is the node's, with its settings in `file`; its log goes there.
    pub(crate) fn new(distribution: &Distribution, role: Role, lifetime: Lifetime, folder: &Path, file: &str) -> Self {
        // One thread for garbage; no file per process in the temporary folder.
        let mut arguments: Vec<OsString> = ["-XX:+UseSerialGC", "-XX:-UsePerfData"].map(OsString::from).into();
        if lifetime == (Lifetime::Thread { is_long: false }) {
            // One compiler starts in a third of the CPU time. Who stays longer needs the other: only it knows the processor's
            // instructions for TLS.
            arguments.push("-XX:TieredStopAtLevel=1".into());
        }
        arguments.extend(role.settings().iter().map(OsString::from));
        let classes = match lifetime {
            Lifetime::Thread { .. } => SharedClasses::find_or_record(distribution, role),
            // Nobody waits until it has ended.
            Lifetime::Detached => SharedClasses::find(distribution, role),
        };
        arguments.extend(classes.argument().map(OsString::from));
        let log4j = folder.with_file_name(LOG4J);
        arguments.push(format!("-Dlog4j.configuration=file:{}", log4j.display()).into());
        arguments.extend(["-cp".into(), distribution.class_path().into()]);
        arguments.extend([role.main_class().into(), folder.join(file).into()]);
        let java = distribution.java().to_owned();
        Self { lifetime, java, arguments, log: folder.join(LOG), classes }
    }

    /// The command, for one start; its output is added to the log.
    pub(crate) fn command(&self) -> io::Result<Command> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = match self.lifetime {
            Lifetime::Thread { .. } => nursery::command(&self.java)?,
            Lifetime::Detached => nursery::lasting_command(&self.java)?,
        };
        command.args(&self.arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    /// The archive that the node leaves if it ends politely.
    pub(crate) const fn recording(&self) -> Option<&Recording> {
        match &self.classes {
            SharedClasses::Recorded(recording) => Some(recording),
            SharedClasses::Shared(_) | SharedClasses::Parsed => None,
        }
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }
}

/// What a node's log is called in its folder.
pub(crate) const LOG: &str = "log";
/// How the nodes of a cluster log, beside their folders.
pub(crate) const LOG4J: &str = "log4j.properties";
