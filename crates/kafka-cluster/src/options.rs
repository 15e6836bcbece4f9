//! Which cluster, and how it is started.

use std::path::Path;

use topology::{Right, Topology};

use crate::folder::Folder;
use crate::launch::Lifetime;
use crate::preparation::Preparation;
use crate::{Cluster, Detached, Distribution, Error};

/// The user who may do everything, and as whom brokers speak to each other.
pub const ADMIN: &str = "admin";

/// How often a start meets a taken port before it gives up.
const TRIES: u32 = 5;

/// Which cluster is to start.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    security: Security<'a>,
    is_behind_proxies: bool,
    is_for_long: bool,
}

/// Who is let in.
#[derive(Clone, Debug)]
pub(crate) enum Security<'a> {
    /// Everybody.
    None,
    /// These users, to what they have a right to.
    Full { users: Vec<&'a str>, rights: Vec<Right<'a>> },
}

impl<'a> Options<'a> {
    /// One broker, its own controller (KRaft), without security: the fastest to start.
    #[must_use]
    pub const fn kraft() -> Self {
        Self { security: Security::None, is_behind_proxies: false, is_for_long: false }
    }

    /// The target: three ZooKeeper servers and three brokers with TLS, SCRAM-SHA-512 and ACLs that deny by default.
    ///
    /// Its users are [`ADMIN`] and the topology's services, each with the rights that the topology gives it. No topic is there.
    #[must_use]
    pub fn secured(topology: &'a Topology) -> Self {
        let services = topology.services().map(|service| service.name.as_str());
        let users = std::iter::once(ADMIN).chain(services).collect();
        let security = Security::Full { users, rights: topology.rights() };
        Self { security, is_behind_proxies: false, is_for_long: false }
    }

    /// One more user, without any right. A cluster without security has no users.
    #[must_use]
    pub fn with_user(mut self, name: &'a str) -> Self {
        if let Security::Full { users, .. } = &mut self.security {
            users.push(name);
        }
        self
    }

    /// Clients reach each broker through a [`crate::Proxy`] only; brokers reach each other without.
    #[must_use]
    pub const fn behind_proxies(mut self) -> Self {
        self.is_behind_proxies = true;
        self
    }

    /// For minutes of load: its brokers take the first of them to get fast, and then have half as much to do. A detached one is so anyway.
    #[must_use]
    pub const fn for_long(mut self) -> Self {
        self.is_for_long = true;
        self
    }

    /// Starts it, and waits until all brokers answer. It ends with the answer, and with this process.
    ///
    /// # Errors
    /// What did not start, with the end of its log.
    pub fn start(&self, distribution: &Distribution) -> Result<Cluster, Error> {
        self.start_in(distribution, Lifetime::Thread { is_long: self.is_for_long }, Folder::temporary)
    }

    /// Starts it in a folder that does not exist yet, for [`Detached::open`] to find. It outlives this process, but has no proxies.
    ///
    /// # Errors
    /// What did not start, with the end of its log.
    pub fn start_detached(&self, distribution: &Distribution, folder: &Path) -> Result<Detached, Error> {
        let options = Self { is_behind_proxies: false, ..self.clone() };
        let cluster = options.start_in(distribution, Lifetime::Detached, || Folder::lasting(folder))?;
        cluster.detach()
    }

    fn start_in(
        &self,
        distribution: &Distribution,
        lifetime: Lifetime,
        folder: impl Fn() -> Result<Folder, Error>,
    ) -> Result<Cluster, Error> {
        for _ in 0..TRIES {
            let is_behind_proxies = self.is_behind_proxies;
            let preparation = Preparation { distribution, lifetime, folder: folder()?, is_behind_proxies };
            if let Some(cluster) = preparation.of(&self.security).and_then(Cluster::start)? {
                return Ok(cluster);
            }
        }
        Err(Error::PortsTaken { tries: TRIES })
    }
}
