//! What nodes find when they start: settings, certificates, users, free ports.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kafka_transport::{Ca, Connection};
use nursery::Nursery;
use topology::Right;

use crate::certificates::Authority;
use crate::cluster::{Parts, Users};
use crate::folder::Folder;
use crate::launch::{LOG4J, Launch, Lifetime, Role};
use crate::options::Security;
use crate::ports::Ports;
use crate::settings::{self, Listeners, ZooKeeperPorts};
use crate::{ADMIN, Distribution, Error, Node, Proxy, scram, snapshot, znodes};

const LOGGING: &str = include_str!("../../../ci/kafka-dist.d/config/log4j.properties");

/// One try to start a cluster.
pub(crate) struct Preparation<'a> {
    pub(crate) distribution: &'a Distribution,
    pub(crate) lifetime: Lifetime,
    pub(crate) folder: Folder,
    pub(crate) is_behind_proxies: bool,
}

impl Preparation<'_> {
    /// Writes everything and starts nothing.
    pub(crate) fn of(self, security: &Security<'_>) -> Result<Parts, Error> {
        self.folder.write(LOG4J, LOGGING)?;
        match security {
            Security::None => self.kraft(),
            Security::Full { users, rights } => self.secured(users, rights),
        }
    }

    fn kraft(self) -> Result<Parts, Error> {
        let mut ports = Ports::default();
        let (listeners, proxy) = self.listeners(&mut ports)?;
        let node = Node::Broker(1);
        let data = self.folder.folder(&format!("{node}/data"))?;
        let id = || URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        self.folder.write(&format!("{node}/data/meta.properties"), settings::kraft_meta(&id(), &id()))?;
        let settings = settings::kraft_broker(listeners, &data);
        let launch = self.launch(node, Role::KraftBroker, &settings)?;
        Ok(Parts {
            brokers: address(listeners.advertised),
            users: Users::default(),
            launches: BTreeMap::from([(node, launch)]),
            zookeeper_ports: BTreeMap::new(),
            proxies: proxy.map(|proxy| (1, proxy)).into_iter().collect(),
            nursery: Nursery::start().map_err(Error::io("start a thread"))?,
            folder: self.folder,
            ports,
        })
    }

    fn secured(self, users: &[&str], rights: &[Right<'_>]) -> Result<Parts, Error> {
        let mut ports = Ports::default();
        let passwords: BTreeMap<String, String> =
            users.iter().map(|user| ((*user).to_owned(), scram::random_password())).collect();
        let authority = Authority::new()?;
        let ca = self.folder.write("ca.pem", authority.pem())?;
        let mut launches = BTreeMap::new();

        let mut ensemble = BTreeMap::new();
        for id in 1..=3 {
            let ports = ZooKeeperPorts { client: ports.take()?, peer: ports.take()?, election: ports.take()? };
            ensemble.insert(id, ports);
        }
        let snapshot = snapshot::of(&znodes::of(&passwords, rights));
        for &id in ensemble.keys() {
            let node = Node::ZooKeeper(id);
            let data = self.folder.folder(&format!("{node}/data"))?;
            self.folder.folder(&format!("{node}/data/version-2"))?;
            self.folder.write(&format!("{node}/data/version-2/snapshot.0"), &snapshot)?;
            self.folder.write(&format!("{node}/data/myid"), id.to_string())?;
            let settings = settings::zookeeper(id, &ensemble, &data);
            launches.insert(node, self.launch(node, Role::ZooKeeper, &settings)?);
        }

        let zookeepers: Vec<u16> = ensemble.values().map(|ports| ports.client).collect();
        let password = passwords.get(ADMIN).map_or("", String::as_str);
        let mut proxies = BTreeMap::new();
        let mut brokers = Vec::new();
        for id in 1..=3 {
            let node = Node::Broker(id);
            let (listeners, proxy) = self.listeners(&mut ports)?;
            proxies.extend(proxy.map(|proxy| (id, proxy)));
            brokers.push(address(listeners.advertised));
            let data = self.folder.folder(&format!("{node}/data"))?;
            let key_store =
                self.folder.write(&format!("{node}/key_store.pem"), authority.key_store(&node.to_string())?)?;
            let settings = settings::secured_broker(id, listeners, &zookeepers, password, [&key_store, &ca, &data]);
            launches.insert(node, self.launch(node, Role::Broker, &settings)?);
        }
        let brokers = brokers.join(",");
        self.write_credentials(&brokers, &passwords, &ca)?;
        Ok(Parts {
            brokers,
            users: Users { passwords, ca: Some(ca) },
            launches,
            zookeeper_ports: ensemble.into_iter().map(|(id, ports)| (Node::ZooKeeper(id), ports.client)).collect(),
            proxies,
            nursery: Nursery::start().map_err(Error::io("start a thread"))?,
            folder: self.folder,
            ports,
        })
    }

    fn listeners(&self, ports: &mut Ports) -> Result<(Listeners, Option<Proxy>), Error> {
        let (client, inner) = (ports.take()?, ports.take()?);
        let proxy = self.is_behind_proxies.then(|| Proxy::before(client)).transpose()?;
        let advertised = proxy.as_ref().map_or(client, Proxy::port);
        Ok((Listeners { client, advertised, inner }, proxy))
    }

    fn launch(&self, node: Node, role: Role, settings: &str) -> Result<Launch, Error> {
        const FILE: &str = "settings.properties";
        self.folder.write(&format!("{node}/{FILE}"), settings)?;
        let folder = self.folder.folder(&node.to_string())?;
        Ok(Launch::new(self.distribution, role, self.lifetime, &folder, FILE))
    }

    /// What a client of each user needs, as variables of its environment.
    fn write_credentials(&self, brokers: &str, passwords: &BTreeMap<String, String>, ca: &Path) -> Result<(), Error> {
        self.folder.folder(CREDENTIALS)?;
        for (user, password) in passwords {
            let variables = Connection::sasl_ssl(brokers, user, password, Ca::File(ca.to_owned())).variables();
            let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            self.folder.write(&format!("{CREDENTIALS}/{user}.env"), lines)?;
        }
        Ok(())
    }
}

/// The folder of the credentials within a cluster's.
pub(crate) const CREDENTIALS: &str = "credentials";

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
