# The secured Kafka, and what a test does with it. `facts` is what Nix knows of it; `client` is the node with its clients.

import runpy
import shlex

nodes = [kafka1, kafka2, kafka3]
kafka_access = runpy.run_path(facts["kafka_access"])  # as Ansible derives rights


def kafka(command: str, *arguments: str) -> str:
    """One of Kafka's commands: a small Java, a second or two."""
    return (
        f"JAVA_HOME={facts['java_home']} KAFKA_HEAP_OPTS=-Xmx128m"
        " KAFKA_JVM_PERFORMANCE_OPTS='-XX:+UseSerialGC -XX:TieredStopAtLevel=1'"
        f" {facts['kafka_home']}/bin/{shlex.join((command, *arguments))}"
    )


def at_brokers(command: str, *arguments: str) -> str:
    """The same as the administrator, before the brokers."""
    admin = ["--bootstrap-server", facts["brokers"], "--command-config", "/etc/kafka/admin.properties"]
    return kafka(command, *admin, *arguments)


def at_once(commands: list[str]) -> str:
    """All of them, four at a time; fails where one does."""
    return f"printf '%s\\0' {shlex.join(commands)} | xargs -0 -P 4 -I COMMAND bash -c COMMAND"


def orderflow(user: str, command: str, *settings: str) -> str:
    """A command of orderflow as one of Kafka's users."""
    return (
        f"set -a; . /etc/orderflow/{user}.env; KAFKA_BROKERS={facts['brokers']}; KAFKA_CA_FILE=/etc/kafka/ca.pem;"
        f" {' '.join(settings)} orderflow --topology {facts['topology']} {command}"
    )


def worker(service: str) -> str:
    """The unit of a service's worker."""
    return f"orderflow-worker-{service}-1"


def start_workers(node, services: list[str]) -> None:
    """One after the other: each is back once its groups have their places."""
    for service in services:
        node.succeed(f"systemctl start {worker(service)}", timeout=90)


def start_zookeeper() -> None:
    host = "-CAfile /etc/kafka/ca.pem -cert /etc/kafka/host.pem -key /etc/kafka/host.pem"
    ask = f"printf srvr | timeout 5 {facts['openssl']} s_client -quiet -verify_return_error {host} -connect localhost:2181"
    for node in nodes:
        node.wait_for_unit("zookeeper", timeout=120)
        # The server just closes the connection, which s_client takes for a failure.
        node.wait_until_succeeds(f"({ask} || true) | grep -E 'Mode: (leader|follower)'", timeout=60)


def make_users() -> None:
    """Those of the topology, as ZooKeeper keeps them. Brokers' own has to be there before the first of them starts."""
    where = ["--zookeeper", facts["zookeepers"], "--zk-tls-config-file", "/etc/kafka/server.properties"]

    def make(user: str) -> str:
        scram = f"SCRAM-SHA-512=[iterations=4096,password={facts['passwords'][user]}]"
        who = ["--entity-type", "users", "--entity-name", user]
        return kafka("kafka-configs.sh", *where, *who, "--alter", "--add-config", scram)

    # By itself: it makes the folder of all.
    kafka1.succeed(make("broker"), timeout=60)
    kafka1.succeed(at_once([make(user) for user in facts["passwords"] if user != "broker"]), timeout=120)


def start_brokers() -> None:
    for node in nodes:
        node.succeed("systemctl start apache-kafka")
    for node in nodes:
        node.wait_for_open_port(9093, timeout=120)


def make_topics() -> None:
    # A topic is refused until as many brokers are there as it has replicas.
    client.wait_until_succeeds(orderflow("admin", "topics create"), timeout=60)


def give_rights() -> None:
    with open(facts["topology"], encoding="utf-8") as file:
        rights = kafka_access["topology_rights"](json.load(file))
    calls = [at_brokers("kafka-acls.sh", "--add", *call) for call in kafka_access["acl_calls"](rights)]
    client.succeed(at_once(calls), timeout=180)


def start_cluster() -> None:
    """With the topology's users, topics and rights."""
    start_zookeeper()
    make_users()
    start_brokers()
    make_topics()
    give_rights()
    client.succeed(orderflow("admin", "topics diff"), timeout=60)


def write_as(user: str, topic: str) -> str:
    """What Kafka's own producer says when a user writes to a topic."""
    producer = kafka(
        "kafka-run-class.sh",
        *("kafka.tools.ConsoleProducer", "--bootstrap-server", facts["brokers"], "--topic", topic),
        *("--producer.config", f"/etc/kafka/{user}.properties"),
    )
    _, said = client.execute(f"echo '{{}}' | {producer} 2>&1", timeout=60)
    return said


def wait_for_replicas() -> None:
    """Until every partition has all of its replicas."""
    lacking = at_brokers("kafka-topics.sh", "--describe", "--under-replicated-partitions")
    client.wait_until_succeeds(f'lacking=$({lacking}) && test -z "$lacking"', timeout=180)


def wait_until_missed(broker: int) -> None:
    """Until no partition counts this broker as in sync."""
    described = at_brokers("kafka-topics.sh", "--describe")
    pattern = f"Isr: ([0-9]+,)*{broker}(,|[[:space:]]|$)"
    client.wait_until_succeeds(f"described=$({described}) && ! grep -qE '{pattern}' <<<\"$described\"", timeout=120)


def audit(*which: str, settings: tuple[str, ...] = ()) -> dict:
    """What became of a run's orders, by arguments of the command; of the shop's newest run without any."""
    command = shlex.join(("audit", *which, "--wait", "120s", "--format", "json"))
    _, text = client.execute(orderflow("admin", command, *settings), timeout=180)
    assert text.startswith("{"), f"no audit: {text}"
    return json.loads(text)
