"""What ci/compose holds compose.yaml against: topology.json, and whatever else it has to repeat.

usage: check.py COMMAND   ends with 1, and says why, where it does not hold
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

import yaml  # Ansible's own, in whose environment this runs

SYSTEM = "food_orders"
DAY_MS = 24 * 60 * 60 * 1000
HOST_MIB = 2048  # a t2.small
# What a host's own programs need of it.
SPARE_MIB = 256
# What .env.example has for `orderflow` alone.
OF_THE_MACHINE = {"KAFKA_BROKERS", "DATABASE_URL"}


def fail(reason: str) -> NoReturn:
    sys.exit(reason)


def text_of(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def load(path: str) -> Any:
    return yaml.safe_load(text_of(path))


def compare(what: str, found: object, wanted: object, where: str) -> None:
    if found != wanted:
        fail(f"{what} is {found}, and {wanted} in {where}")


def mib(limit: str) -> int:
    """A limit of memory.

    >>> mib("128m")
    128
    """
    found = re.fullmatch(r"(\d+)m", limit)
    return int(found[1]) if found else fail(f"a limit is {limit!r}, and should be MiB such as 128m")


def stated_topics(text: str) -> dict[str, tuple[int, int]]:
    """Partitions and retention in ms, from a comment's lines.

    >>> stated_topics("# Topics:\\n  #   food-orders   3 partitions, 7 days: orders\\n  #   numbers  1 partition, 1 day: tickets\\n")
    {'food-orders': (3, 604800000), 'numbers': (1, 86400000)}
    """
    lines = re.findall(r"^ *#   (\S+) +(\d+) partitions?, (\d+) days?: ", text, re.MULTILINE)
    return {topic: (int(partitions), int(days) * DAY_MS) for topic, partitions, days in lines}


def properties(text: str) -> dict[str, str]:
    """Of a file of Java.

    >>> properties("# said of it\\nbroker.id=1\\n\\nlisteners=A://:1,B://:2\\n")
    {'broker.id': '1', 'listeners': 'A://:1,B://:2'}
    """
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def variables(text: str) -> set[str]:
    """What is asked of the environment.

    >>> sorted(variables("a: ${RATE:-10}, b: ${USER}:${PASSWORD:?cp}"))
    ['PASSWORD', 'RATE', 'USER']
    """
    return set(re.findall(r"\$\{(\w+)", text))


COMPOSE_FILES = ("compose.yaml", "compose.aws.yaml")
TOPOLOGY = json.loads(text_of("topology.json"))
OURS = {name: service for name, service in TOPOLOGY["services"].items() if service["system"] == SYSTEM}


def services() -> None:
    """Each service of the system runs, with its limit and its settings."""
    found = load("compose.yaml")["services"]
    version = re.search(r'^version = "(.*)"$', text_of("Cargo.toml"), re.MULTILINE)
    for name, service in OURS.items():
        if name not in found:
            fail(f"there is no service {name}")
        ours = found[name]
        compare(f"{name}: command", ours["command"][:2], ["work", name], "orderflow's usage")
        compare(f"{name}: mem_limit", mib(ours["mem_limit"]), service["memory_mib"], "topology.json")
        compare(f"{name}: image", ours["image"], f"orderflow:{version[1] if version else None}", "nix/programs.nix, by Cargo.toml's version")
        compare(f"{name}: what it waits for", ours["depends_on"]["topics"]["condition"], "service_completed_successfully", "this check")
        # Each setting of the topology is a variable of the same name.
        for setting, number in service["settings"].items():
            variable = setting.upper()
            compare(f"{name}: {variable}", ours["environment"].get(variable), f"${{{variable}:-{number}}}", "topology.json")
        compare(f"{name}: has DATABASE_URL", "DATABASE_URL" in ours["environment"], bool(service["consumes"]), "topology.json, by what it consumes")


def topics() -> None:
    """What is said of topics and groups is so, and the broker makes none by itself."""
    text = text_of("compose.yaml")
    names = {name for service in OURS.values() for name in [*service["produces"], *(one["topic"] for one in service["consumes"])]}
    wanted = {name: (topic["partitions"], topic["retention_ms"]) for name, topic in TOPOLOGY["topics"].items() if name in names}
    compare("what is said of topics, (partitions, retention_ms),", stated_topics(text), wanted, "topology.json")
    for service in OURS.values():
        for consumed in service["consumes"]:
            if f"({consumed['group']})" not in text or f"with {wanted[consumed['topic']][0]} partitions up to" not in text:
                fail(f"what is said of groups names no ({consumed['group']}), or another number of partitions than topology.json")
    compare("topics: command", load("compose.yaml")["services"]["topics"]["command"], ["topics", "create"], "orderflow's usage")


def broker() -> None:
    """One broker has one replica of everything, containers find it, and nobody outside of this machine finds anything."""
    compose = load("compose.yaml")
    settings = properties(compose["configs"]["server.properties"]["content"])
    properties(compose["configs"]["zookeeper.properties"]["content"])
    compare("auto.create.topics.enable", settings["auto.create.topics.enable"], "false", "ansible/roles/kafka")
    alone = load("ansible/group_vars/food.yml")["kafka_extra_properties"]
    for name, number in alone.items():
        compare(name, settings.get(name), str(number), "ansible/group_vars/food.yml")
    advertised = dict(listener.split("://") for listener in settings["advertised.listeners"].split(","))
    for name in ("topics", *OURS):
        brokers = compose["services"][name]["environment"]["KAFKA_BROKERS"]
        compare(f"{name}: KAFKA_BROKERS", brokers, advertised["CONTAINERS"], "advertised.listeners of server.properties")
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                fail(f"{name}: the port {port} is open to others than this machine")


def versions() -> None:
    """The same Kafka and PostgreSQL as elsewhere."""
    found = load("compose.yaml")["services"]
    kafka = re.search(r"^kafka=(.*)$", text_of("ci/kafka-dist"), re.MULTILINE)
    for name in ("zookeeper", "kafka"):
        compare(f"{name}: image", found[name]["image"], f"apache/kafka:{kafka[1] if kafka else None}", "ci/kafka-dist")
    postgresql = load("ansible/roles/postgresql/defaults/main.yml")["postgresql_version"]
    compare("postgres: image", found["postgres"]["image"], f"postgres:{postgresql}", "ansible/roles/postgresql")


def small_host() -> None:
    """compose.aws.yaml has the heap and the buffers of Ansible's small host, and all limits fit into it."""
    usual, small = (load(path)["services"] for path in COMPOSE_FILES)
    heap = load("ansible/group_vars/food.yml")["kafka_heap_mib"]
    compare("kafka: KAFKA_HEAP_OPTS", small["kafka"]["environment"]["KAFKA_HEAP_OPTS"], f"-Xms{heap}m -Xmx{heap}m", "ansible/group_vars/food.yml")
    buffers = load("ansible/roles/postgresql/defaults/main.yml")["postgresql_settings"]["shared_buffers"]
    compare("postgres: command", small["postgres"]["command"], ["postgres", "-c", f"shared_buffers={buffers}"], "ansible/roles/postgresql")
    if unknown := small.keys() - usual.keys():
        fail(f"compose.aws.yaml changes services that compose.yaml does not have: {', '.join(sorted(unknown))}")
    lasting = [name for name, service in usual.items() if "restart" in service]
    limits = {name: small.get(name, {}).get("mem_limit") or usual[name].get("mem_limit") for name in lasting}
    if unlimited := [name for name, limit in limits.items() if not limit]:
        fail(f"no mem_limit: {', '.join(unlimited)}")
    total = sum(map(mib, limits.values()))
    if total > HOST_MIB - SPARE_MIB:
        fail(f"all limits together are {total} MiB, more than {HOST_MIB} without {SPARE_MIB} for the host itself")
    if unrotated := [name for name in lasting if "logging" not in small.get(name, {})]:
        fail(f"logs grow without end: {', '.join(unrotated)}")


def environment() -> None:
    """.env.example has what is asked for, and nothing else."""
    asked = set().union(*(variables(text_of(path)) for path in COMPOSE_FILES))
    there = set(re.findall(r"^(\w+)=", text_of(".env.example"), re.MULTILINE))
    if unlike := asked ^ (there - OF_THE_MACHINE):
        fail(f"only one of .env.example and {' and '.join(COMPOSE_FILES)} has {', '.join(sorted(unlike))}")
    if missing := OF_THE_MACHINE - there:
        fail(f".env.example has no {', '.join(sorted(missing))}")


COMMANDS = (services, topics, broker, versions, small_host, environment)

if __name__ == "__main__":
    {command.__name__: command for command in COMMANDS}[sys.argv[1]]()
