//! The settings files of brokers and ZooKeeper servers.

use std::collections::BTreeMap;
use std::path::Path;

use crate::ADMIN;

/// What every broker is told, whatever the cluster.
const BROKER: &str = "\
auto.create.topics.enable=false
# No wait for further members: each test would pay it.
group.initial.rebalance.delay.ms=0
# As few threads as two cores need for six nodes.
num.network.threads=1
num.io.threads=2
num.replica.fetchers=1
background.threads=1
num.recovery.threads.per.data.dir=1
# Nothing here is compacted, and the cleaner takes 128 MiB.
log.cleaner.enable=false
log.segment.bytes=16777216
log.index.size.max.bytes=65536
";

/// Where a broker listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listeners {
    /// For clients.
    pub(crate) client: u16,
    /// Where clients are told to go: a proxy, or the same.
    pub(crate) advertised: u16,
    /// For the other brokers; for the controller in KRaft.
    pub(crate) inner: u16,
}

/// One broker that is its own controller, without security.
pub(crate) fn kraft_broker(listeners: Listeners, data: &Path) -> String {
    let Listeners { client, advertised, inner } = listeners;
    format!(
        "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{inner}
listeners=CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{inner}
advertised.listeners=CLIENT://127.0.0.1:{advertised}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
log.dirs={}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
# There is nobody to hand partitions over to.
controlled.shutdown.enable=false
# A killed broker is refused until its session is over: nine seconds by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
{BROKER}",
        data.display()
    )
}

/// What formatting a broker's folder would write, without starting a Java for it: half a second.
pub(crate) fn kraft_meta(cluster_id: &str, directory_id: &str) -> String {
    format!("version=1\ncluster.id={cluster_id}\nnode.id=1\ndirectory.id={directory_id}\n")
}

/// A broker behind TLS, SCRAM and ACLs.
pub(crate) fn secured_broker(
    id: u8,
    listeners: Listeners,
    zookeepers: &[u16],
    password: &str,
    [key_store, ca, data]: [&Path; 3],
) -> String {
    let Listeners { client, advertised, inner } = listeners;
    let zookeepers: Vec<String> = zookeepers.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    // Clients by themselves, so that a proxy before them does not come between brokers.
    format!(
        "\
broker.id={id}
zookeeper.connect={zookeepers}
zookeeper.connection.timeout.ms=30000
zookeeper.session.timeout.ms=6000
listeners=CLIENT://127.0.0.1:{client},BROKER://127.0.0.1:{inner}
advertised.listeners=CLIENT://127.0.0.1:{advertised},BROKER://127.0.0.1:{inner}
listener.security.protocol.map=CLIENT:SASL_SSL,BROKER:SASL_SSL
inter.broker.listener.name=BROKER
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config={SCRAM} required;
listener.name.broker.scram-sha-512.sasl.jaas.config={SCRAM} required username=\"{ADMIN}\" password=\"{password}\";
ssl.keystore.type=PEM
ssl.keystore.location={key_store}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
authorizer.class.name=kafka.security.authorizer.AclAuthorizer
super.users=User:{ADMIN}
allow.everyone.if.no.acl.found=false
default.replication.factor=3
min.insync.replicas=2
# One for each broker to coordinate.
offsets.topic.num.partitions=3
offsets.topic.replication.factor=3
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
log.dirs={data}
{BROKER}",
        zookeepers = zookeepers.join(","),
        key_store = key_store.display(),
        ca = ca.display(),
        data = data.display(),
    )
}

const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

/// Where a ZooKeeper server listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ZooKeeperPorts {
    pub(crate) client: u16,
    pub(crate) peer: u16,
    pub(crate) election: u16,
}

/// A ZooKeeper server of an ensemble.
pub(crate) fn zookeeper(id: u8, ensemble: &BTreeMap<u8, ZooKeeperPorts>, data: &Path) -> String {
    let client = ensemble.get(&id).map_or(0, |ports| ports.client);
    let servers: String = ensemble
        .iter()
        .map(|(id, ports)| format!("server.{id}=127.0.0.1:{}:{}\n", ports.peer, ports.election))
        .collect();
    format!(
        "\
tickTime=1000
initLimit=10
syncLimit=5
dataDir={}
clientPort={client}
clientPortAddress=127.0.0.1
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=srvr,dump
# It starts from a snapshot that no transaction has led to.
snapshot.trust.empty=true
{servers}",
        data.display()
    )
}
