//! A cluster that outlives the command that started it.

use std::fs;
use std::path::{Path, PathBuf};

use kafka_transport::Connection;
use nursery::process::{self, Identity};

use crate::cluster::PID;
use crate::preparation::CREDENTIALS;
use crate::{ADMIN, Error, Node};

/// The cluster that [`crate::Options::start_detached`] has started in a folder, found by that folder.
pub struct Detached {
    folder: PathBuf,
    nodes: Vec<(Node, Option<Identity>)>,
}

impl Detached {
    /// Finds the cluster of this folder.
    ///
    /// # Errors
    /// A folder that is not there, or holds no cluster.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let folder = folder.canonicalize().map_err(Error::io(folder.display().to_string()))?;
        let all = (1..=3).map(Node::ZooKeeper).chain((1..=3).map(Node::Broker));
        let file = |node: Node| fs::read_to_string(folder.join(node.to_string()).join(PID)).ok();
        let files: Vec<_> = all.map(|node| (node, file(node))).collect();
        if files.iter().all(|(_, file)| file.is_none()) {
            return Err(Error::NoCluster(folder));
        }
        // A start that was interrupted leaves none of the nodes that it did not come to: they do not run.
        let nodes = files.into_iter().map(|(node, file)| (node, file.and_then(|line| Identity::parse(&line))));
        Ok(Self { nodes: nodes.collect(), folder })
    }

    /// Its nodes, ZooKeeper first, each with the number of its process if it runs.
    pub fn nodes(&self) -> impl Iterator<Item = (Node, Option<u32>)> {
        self.nodes.iter().map(|(node, identity)| (*node, self.own(*node, *identity).map(Identity::pid)))
    }

    /// How much of the machine's memory its nodes hold, in MiB.
    pub fn resident_mib(&self) -> u64 {
        self.nodes().filter_map(|(_, pid)| pid).map(nursery::resident_kib).sum::<u64>() / 1024
    }

    /// The folder in which everything of it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Who may log in, by name.
    pub fn users(&self) -> Vec<String> {
        let files = self.folder.join(CREDENTIALS).read_dir().into_iter().flatten().filter_map(Result::ok);
        let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".env")?.to_owned()));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// How to reach the brokers as [`ADMIN`].
    ///
    /// # Errors
    /// Credentials that cannot be read.
    pub fn connection(&self) -> Result<Connection, Error> {
        let path = self.credentials_file(ADMIN);
        let text = fs::read_to_string(&path).map_err(Error::io(path.display().to_string()))?;
        Ok(Connection::parse(None, &text)?)
    }

    /// The variables of the environment that a client of this user needs.
    pub fn credentials_file(&self, user: &str) -> PathBuf {
        self.folder.join(CREDENTIALS).join(format!("{user}.env"))
    }

    /// Ends what runs of it, and nothing else, and removes the folder.
    ///
    /// # Errors
    /// A process that does not end, or a folder that stays.
    pub fn end(self) -> Result<(), Error> {
        let running = || self.nodes.iter().filter_map(|(node, identity)| self.own(*node, *identity)).collect();
        process::end(running).map_err(Error::io("end the cluster's processes"))?;
        fs::remove_dir_all(&self.folder).map_err(Error::io(self.folder.display().to_string()))
    }

    /// The node's process if it runs and is the one that was started from this folder, not a later one of its number.
    fn own(&self, node: Node, identity: Option<Identity>) -> Option<Identity> {
        identity.filter(|identity| identity.runs_with(&self.folder.join(node.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_was_not_started_from_the_folder_is_not_ended() {
        let folder = tempfile::tempdir().unwrap();
        // It ends with the test, however that ends.
        let mut stranger = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let identity = Identity::of(stranger.id()).unwrap();
        fs::create_dir(folder.path().join("broker-1")).unwrap();
        fs::write(folder.path().join("broker-1").join(PID), identity.to_line()).unwrap();

        let cluster = Detached::open(folder.path()).unwrap();
        assert_eq!(cluster.nodes().filter(|(_, pid)| pid.is_none()).count(), 6);
        cluster.end().unwrap();
        assert!(!folder.path().exists());
        assert_eq!(stranger.try_wait().unwrap(), None);
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[test]
    fn a_folder_without_nodes_is_no_cluster_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Detached::open(folder.path()), Err(Error::NoCluster(_))));
        assert!(folder.path().exists());
    }
}
