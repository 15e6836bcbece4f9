#!/usr/bin/env python3
"""Plays EC2's part beside the emulated AWS: its instances become hosts of a fleet (ci/fleet), its security groups the rules by
which the fleet's router forwards. Looks once a second, says what it does, and ends on SIGTERM.

usage: ci/rehearse.d/ec2.py FUNCTION_USER    with the emulated AWS and ORDERFLOW_FLEET in the environment
       python3 -m doctest ci/rehearse.d/ec2.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from threading import Event
from typing import Any

FLEET = Path(__file__).resolve().parents[1] / "fleet"
PREFIX = "orderflow-"  # of every Name that Terraform gives
SECONDS = 1

# By type of instance; t3.large has 8192, of which the console needs no more than this without Control Center.
MEMORY_MIB = {"t2.micro": 1024, "t2.small": 2048, "t3.micro": 1024, "t3.small": 2048, "t3.medium": 2048, "t3.large": 2048}


@dataclass(frozen=True)
class Member:
    """An address in a VPC, and the ids of its security groups."""

    name: str
    address: str
    groups: frozenset[str]


@dataclass(frozen=True)
class Account:
    """What the rules are made of. `groups` are security groups as `describe_security_groups` has them, by id."""

    networks: list[str]
    groups: dict[str, dict[str, Any]]
    members: list[Member]


def rules(account: Account) -> str:
    """The chain `rules` of the fleet's router: a new connection passes if the groups of both its ends let it, or the one end's where the
    other is outside of the VPC. Addresses of a VPC that nobody has are closed, and private ones are not known outside.

    >>> def of_group(protocol, port, cidrs=(), groups=()):
    ...     pairs, ranges = [{"GroupId": one} for one in groups], [{"CidrIp": one} for one in cidrs]
    ...     return {"IpProtocol": protocol, "FromPort": port, "ToPort": port, "UserIdGroupPairs": pairs, "IpRanges": ranges}
    >>> kafka = {"GroupName": "kafka", "IpPermissions": [of_group("tcp", 9093, groups=["sg-f"]), of_group("tcp", 22, ["192.0.2.10/32"])],
    ...          "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}
    >>> functions = {"GroupName": "functions", "IpPermissions": [], "IpPermissionsEgress": [of_group("tcp", 9093, groups=["sg-k"])]}
    >>> members = [Member("kafka-1", "10.0.0.21", frozenset(["sg-k"])), Member("functions", "10.0.0.250", frozenset(["sg-f"]))]
    >>> print(rules(Account(["10.0.0.0/16"], {"sg-k": kafka, "sg-f": functions}, members)), end="")
    set members { type ipv4_addr; elements = { 10.0.0.21, 10.0.0.250 }; }
    set sg-f { type ipv4_addr; elements = { 10.0.0.250 }; } # functions
    set sg-k { type ipv4_addr; elements = { 10.0.0.21 }; } # kafka
    chain egress {
      ip saddr @sg-f ip daddr @sg-k tcp dport 9093 return
      ip saddr @sg-k return
      drop
    }
    chain ingress {
      ip daddr @sg-k ip saddr 192.0.2.10/32 tcp dport 22 accept
      ip daddr @sg-k ip saddr @sg-f tcp dport 9093 accept
      drop
    }
    chain rules {
      ip saddr != { 10.0.0.0/16 } ip daddr { 10.0.0.0/16 } ct status & dnat == 0 drop
      ip saddr { 10.0.0.0/16 } ip saddr != @members drop
      ip daddr { 10.0.0.0/16 } ip daddr != @members drop
      ip saddr @members jump egress
      ip daddr @members goto ingress
      accept
    }

    Before there is a VPC there is the internet alone:

    >>> print(rules(Account([], {}, [])), end="")
    set members { type ipv4_addr; }
    chain egress {
      drop
    }
    chain ingress {
      drop
    }
    chain rules {
      ip saddr @members jump egress
      ip daddr @members goto ingress
      accept
    }
    """
    lines = [address_set("members", [member.address for member in account.members])]
    for group_id, group in sorted(account.groups.items()):
        addresses = [member.address for member in account.members if group_id in member.groups]
        lines.append(f"{address_set(group_id, addresses)} # {group['GroupName']}")
    for chain, own, peer, permissions, verdict in (
        ("egress", "saddr", "daddr", "IpPermissionsEgress", "return"),
        ("ingress", "daddr", "saddr", "IpPermissions", "accept"),
    ):
        passing = {
            f"  ip {own} @{group_id}{match} {verdict}"
            for group_id, group in account.groups.items()
            for permission in group[permissions]
            for match in matches(permission, peer, account.groups)
        }
        lines += [f"chain {chain} {{", *sorted(passing), "  drop", "}"]
    lines.append("chain rules {")
    if account.networks:
        networks = f"{{ {', '.join(sorted(account.networks))} }}"
        lines.append(f"  ip saddr != {networks} ip daddr {networks} ct status & dnat == 0 drop")
        lines += [f"  ip {end} {networks} ip {end} != @members drop" for end in ("saddr", "daddr")]
    lines += ["  ip saddr @members jump egress", "  ip daddr @members goto ingress", "  accept", "}"]
    return "\n".join(lines) + "\n"


def address_set(name: str, addresses: list[str]) -> str:
    elements = f" elements = {{ {', '.join(sorted(addresses))} }};" if addresses else ""
    return f"set {name} {{ type ipv4_addr;{elements} }}"


def matches(permission: dict[str, Any], peer: str, groups: dict[str, Any]) -> Iterator[str]:
    """What nft matches for a rule of a security group, once for each of the peers that it names.

    >>> list(matches({"IpProtocol": "udp", "FromPort": 1, "ToPort": 5, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "saddr", {}))
    [' ip saddr 10.0.0.0/8 udp dport 1-5']
    >>> list(matches({"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": "sg-gone"}]}, "daddr", {}))
    []
    """
    protocol, first, last = permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort")
    if protocol == "-1":
        what = ""
    elif protocol in ("tcp", "udp"):
        what = f" {protocol} dport {first}" if first == last else f" {protocol} dport {first}-{last}"
    else:
        what = f" ip protocol {protocol}"
    for cidr in (one["CidrIp"] for one in permission.get("IpRanges", [])):
        yield what if cidr == "0.0.0.0/0" else f" ip {peer} {cidr}{what}"
    for group in (one["GroupId"] for one in permission.get("UserIdGroupPairs", [])):
        if group in groups:
            yield f" ip {peer} @{group}{what}"


@dataclass(frozen=True)
class Instance:
    instance_id: str
    address: str
    public: str | None
    memory_mib: int
    key_name: str | None
    is_running: bool


def next_step(name: str, known: Instance | None, wanted: Instance | None) -> list[str] | None:
    """The command of ci/fleet that brings a host nearer to what its instance is now.

    >>> running = Instance("i-1", "10.0.0.21", "54.0.0.1", 1024, None, True)
    >>> stopped = Instance("i-1", "10.0.0.21", None, 1024, None, False)
    >>> another = Instance("i-2", "10.0.0.21", "54.0.0.2", 1024, "orderflow", True)
    >>> def step(*of): return " ".join(next_step("kafka-1", *of) or ["nothing"])
    >>> step(None, running), step(None, another)
    ('add kafka-1 10.0.0.21 1024 --public 54.0.0.1', 'add kafka-1 10.0.0.21 1024 --public 54.0.0.2')
    >>> step(running, running), step(running, stopped), step(stopped, running)
    ('nothing', 'stop kafka-1', 'start --public 54.0.0.1 kafka-1')
    >>> step(running, another), step(running, None), step(None, stopped)
    ('remove kafka-1', 'remove kafka-1', 'nothing')
    """
    if known and (not wanted or wanted.instance_id != known.instance_id):
        return ["remove", name]
    if not wanted or wanted.is_running == bool(known and known.is_running):
        return None
    public = ["--public", wanted.public] if wanted.public else []
    if not wanted.is_running:
        return ["stop", name]
    if known:
        return ["start", *public, name]
    return ["add", name, wanted.address, str(wanted.memory_mib), *public]


@dataclass(frozen=True)
class Interface:
    """An address in a VPC that a namespace of the fleet has, for its words to `ci/fleet interface`, and under which name it is known."""

    address: str
    place: str
    network: str
    user: str | None = None
    domain: str | None = None
    groups: frozenset[str] = field(default=frozenset(), compare=False)


def free_address(subnet: str, taken: set[str], now: str | None) -> str:
    """That which it has, unless somebody else has it; else the highest, because Terraform names low ones.

    >>> free_address("10.0.0.0/24", {"10.0.0.254"}, None), free_address("10.0.0.0/24", set(), "10.0.0.9")
    ('10.0.0.253', '10.0.0.9')
    """
    network = IPv4Network(subnet)
    if now and ip_address(now) in network and now not in taken:
        return now
    addresses = (str(network[index]) for index in range(network.num_addresses - 2, 3, -1))
    return next(address for address in addresses if address not in taken)


class Clients:
    """Of the emulated AWS. One look at the account is eight questions."""

    def __init__(self) -> None:
        import boto3

        self.ec2, self.awslambda = boto3.client("ec2"), boto3.client("lambda")

    def of_ec2(self, action: str, key: str, **options: Any) -> list[dict[str, Any]]:
        return self.ec2.get_paginator(action).paginate(**options).build_full_result()[key]

    def of_lambda(self, action: str, key: str) -> list[dict[str, Any]]:
        return self.awslambda.get_paginator(action).paginate().build_full_result()[key]


class World:
    """What the fleet has of the account so far, and what it lacks."""

    def __init__(self, clients: Clients, function_user: str, folder: Path) -> None:
        self.clients, self.function_user, self.folder = clients, function_user, folder
        self.hosts: dict[str, Instance] = {}
        self.interfaces: dict[str, Interface] = {}
        self.rules = ""
        self.under_way: dict[str, Future[None]] = {}
        self.pool = ThreadPoolExecutor(16)

    def look(self) -> None:
        """Rules come before hosts: none is open for a moment."""
        instances = self.clients.of_ec2("describe_instances", "Reservations")
        alive = [one for each in instances for one in each["Instances"] if one["State"]["Name"] in ALIVE]
        named = {name: one for one in alive if (name := name_of(one))}
        groups = {one["GroupId"]: one for one in self.clients.of_ec2("describe_security_groups", "SecurityGroups")}
        networks = {one["VpcId"]: one["CidrBlock"] for one in self.clients.of_ec2("describe_vpcs", "Vpcs")}
        interfaces = self.wanted_interfaces(groups, networks)
        members = [
            Member(name, one["PrivateIpAddress"], frozenset(group["GroupId"] for group in one["SecurityGroups"]))
            for name, one in named.items()
        ]
        members += [Member(name, one.address, one.groups) for name, one in interfaces.items()]
        self.load(rules(Account(list(networks.values()), groups, members)))
        hosts = {name: instance(one) for name, one in named.items()}
        for name in sorted({*hosts, *self.hosts}):
            self.begin(name, self.bring_host, hosts.get(name))
        for name in sorted({*interfaces, *self.interfaces}):
            self.begin(name, self.bring_interface, interfaces.get(name))

    def wanted_interfaces(self, groups: dict[str, Any], networks: dict[str, str]) -> dict[str, Interface]:
        subnets = {one["SubnetId"]: one for one in self.clients.of_ec2("describe_subnets", "Subnets")}
        cards = self.clients.of_ec2("describe_network_interfaces", "NetworkInterfaces")
        addresses = {one["NetworkInterfaceId"]: one["PrivateIpAddress"] for one in cards}
        taken = set(addresses.values())
        found: dict[str, Interface] = {}
        for endpoint in self.clients.of_ec2("describe_vpc_endpoints", "VpcEndpoints"):
            of_endpoint = [addresses[one] for one in endpoint["NetworkInterfaceIds"] if one in addresses]
            if endpoint["State"].lower() != "available" or not of_endpoint:
                continue
            _, _, region, service = endpoint["ServiceName"].split(".", 3)
            domain = f"{service}.{region}.amazonaws.com" if endpoint.get("PrivateDnsEnabled") else None
            of_groups = frozenset(group["GroupId"] for group in endpoint["Groups"])
            network = networks[endpoint["VpcId"]]
            # The name of an endpoint leads to any of its addresses, one a zone: here to the first.
            found[service] = Interface(of_endpoint[0], "endpoints", network, None, domain, of_groups)
        for name, user, used in (
            ("functions", self.function_user, self.used_by_functions()),
            ("pollers", None, self.used_by_mappings()),
        ):
            of_subnets, of_groups = used
            if not of_groups:
                # A mapping asks for its secrets while it is made: the interface is there before it.
                of_group = [one for one in groups.values() if one["GroupName"] == PREFIX + name]
                of_groups = {one["GroupId"] for one in of_group}
                vpcs = {one["VpcId"] for one in of_group}
                of_subnets = {subnet_id for subnet_id, subnet in subnets.items() if subnet["VpcId"] in vpcs}
            known = sorted(of_subnets & subnets.keys(), key=lambda one: IPv4Network(subnets[one]["CidrBlock"]))
            if not known or not of_groups:
                continue
            subnet = subnets[known[0]]
            now = self.interfaces[name].address if name in self.interfaces else None
            address = free_address(subnet["CidrBlock"], taken, now)
            taken.add(address)
            found[name] = Interface(address, "aws", networks[subnet["VpcId"]], user, None, frozenset(of_groups))
        return found

    def used_by_functions(self) -> tuple[set[str], set[str]]:
        """Subnets and security groups. All functions are at one address: what one of them may, each may."""
        networks = [one.get("VpcConfig") or {} for one in self.clients.of_lambda("list_functions", "Functions")]
        return tuple({one for each in networks for one in each.get(key, [])} for key in ("SubnetIds", "SecurityGroupIds"))

    def used_by_mappings(self) -> tuple[set[str], set[str]]:
        mappings = self.clients.of_lambda("list_event_source_mappings", "EventSourceMappings")
        settings = [one for each in mappings for one in each.get("SourceAccessConfigurations", [])]
        kinds = ("VPC_SUBNET", "VPC_SECURITY_GROUP")
        return tuple({one["URI"].split(":", 1)[1] for one in settings if one["Type"] == kind} for kind in kinds)

    def load(self, text: str) -> None:
        if text == self.rules:
            return
        file = self.folder / "rules.nft"
        file.write_text(text)
        call("rules", str(file))
        self.rules = text
        say("rules: as the security groups are now")

    def begin(self, name: str, bring: Callable[[str, Any], None], wanted: Any) -> None:
        """One thing at a time for each name; what fails is looked at again in a second."""
        if name in self.under_way and not self.under_way[name].done():
            return
        self.under_way[name] = self.pool.submit(attempt, name, bring, name, wanted)

    def bring_host(self, name: str, wanted: Instance | None) -> None:
        known = self.hosts.get(name)
        step = next_step(name, known, wanted)
        if not step:
            return
        key = []
        if step[0] == "add" and wanted and wanted.key_name:
            file = self.folder / f"{name}.pub"
            pairs = self.clients.ec2.describe_key_pairs(KeyNames=[wanted.key_name], IncludePublicKey=True)["KeyPairs"]
            file.write_text(pairs[0]["PublicKey"].strip() + "\n")
            key = ["--key", str(file)]
        call(*step, *key)
        if step[0] == "remove":
            del self.hosts[name]
        elif wanted:
            self.hosts[name] = wanted
        say(f"{name}: {' '.join(step)}")

    def bring_interface(self, name: str, wanted: Interface | None) -> None:
        known = self.interfaces.get(name)
        if known == wanted:
            return
        if known:
            call("remove", name)
            del self.interfaces[name]
            say(f"{name}: gone from {known.address}")
        if wanted:
            call("interface", name, wanted.address, wanted.place, wanted.network, *filter(None, [wanted.user]))
            self.interfaces[name] = replace(wanted, domain=None)
            if wanted.domain:
                call("name", wanted.domain, name)
            self.interfaces[name] = wanted
            say(f"{name}: at {wanted.address}")


failures: dict[str, str] = {}
RUNNING = ("pending", "running")
ALIVE = (*RUNNING, "stopping", "stopped")


def instance(one: dict[str, Any]) -> Instance:
    memory_mib = MEMORY_MIB.get(one["InstanceType"], 2048)
    is_running = one["State"]["Name"] in RUNNING
    public = one.get("PublicIpAddress")
    return Instance(one["InstanceId"], one["PrivateIpAddress"], public, memory_mib, one.get("KeyName"), is_running)


def name_of(instance: dict[str, Any]) -> str | None:
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    return tags.get("Name", "").removeprefix(PREFIX) or None


def call(*words: str) -> None:
    done = subprocess.run([FLEET, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ci/fleet {' '.join(words)}: {(done.stderr or done.stdout).strip()}")


def attempt(name: str, what: Callable[..., None], *arguments: Any) -> None:
    """Says what goes wrong, once as long as it is the same: the next attempt comes in a second."""
    try:
        what(*arguments)
        failures.pop(name, None)
    except Exception as error:  # whatever it was
        text = f"{name}: {type(error).__name__}: {error}"
        if failures.get(name) != text:
            say(text)
        failures[name] = text


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    (function_user,) = sys.argv[1:]
    end = Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    folder = Path(os.environ["ORDERFLOW_FLEET"], "ec2")
    folder.mkdir(exist_ok=True)
    world = World(Clients(), function_user, folder)
    while not end.is_set():
        attempt("look", world.look)
        end.wait(SECONDS)
    world.pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    main()
