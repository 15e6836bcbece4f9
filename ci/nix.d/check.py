"""What ci/nix asks of an evaluation, and of files that have to agree. Each command ends with 1, and says why, where it does not hold.

usage: check.py COMMAND ARGUMENT...
"""

import ast
import builtins
import json
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

LINUX = ("x86_64-linux", "aarch64-linux")
# What has the whole repository for its input, by its nature.
OF_ALL = {("checks", "fmt"), ("apps", "deploy")}
PACKAGES = {"default", "image", "inventory", "kafka-home", "lambda-emulator", "lambdas", "lambdas-arm64", "orderflow", "topology"}
CHECKS = {"ansible", "clippy", "docs", "fmt", "food-orders", "inventory", "kafka-flow", "nextest", "reproducible", "saga", "shell", "terraform"}
APPS = {"cluster", "default", "deploy", "destroy", "healthcheck", "rehearse", "run", "setup-local", "update"}


def fail(reason: str) -> NoReturn:
    sys.exit(reason)


def load(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        fail(f"{path} is no JSON: {error}")


def derivations(evaluation: str) -> None:
    """Every derivation, a line each."""
    found = set()
    for part in load(evaluation).values():
        for output in part.values() if isinstance(part, dict) else []:
            found.update(output.values() if isinstance(output, dict) else [output])
    print("\n".join(sorted(found)))


def one(evaluation: str, output: str) -> None:
    """The derivation of an output such as packages.lambdas."""
    part, name = output.split(".", 1)
    print(load(evaluation)[part][LINUX[0]][name])


def number(evaluation: str, part: str) -> None:
    print(len(load(evaluation)[part][LINUX[0]]))


def outputs(evaluation: str) -> None:
    """Both Linux systems have all that there should be, each its own."""
    found = load(evaluation)
    services = load("topology.json")["services"]
    functions = ["hello_world"] + [name for name, service in services.items() if service["host"] == "lambda"]
    wanted = {"packages": PACKAGES | {f"{name}-zip" for name in functions}, "checks": CHECKS, "apps": APPS, "devShells": {"default"}}
    for part, names in wanted.items():
        for system in LINUX:
            if missing := names - found[part][system].keys():
                fail(f"{part}.{system} has no {', '.join(sorted(missing))}")
        if unlike := found[part][LINUX[0]].keys() ^ found[part][LINUX[1]].keys():
            fail(f"{part}: only one of both systems has {', '.join(sorted(unlike))}")
        if shared := set(found[part][LINUX[0]].values()) & set(found[part][LINUX[1]].values()):
            fail(f"{part}: the same for both systems: {', '.join(sorted(shared))}")
    if "default" not in found["devShells"]["aarch64-darwin"]:
        fail("there is no shell for aarch64-darwin")


def changes(before: str, after: str) -> set[tuple[str, str]]:
    old, new = load(before), load(after)
    return {
        (part, name)
        for part in ("packages", "checks", "apps", "devShells")
        for system in LINUX
        for name in old[part][system].keys() | new[part][system].keys()
        if old[part][system].get(name) != new[part][system].get(name)
    }


def unchanged(before: str, after: str) -> None:
    """Nothing but what has the whole repository for its input."""
    if built := changes(before, after) - OF_ALL:
        fail("these would be built anew: " + ", ".join(sorted(map(".".join, built))))
    if not changes(before, after):
        fail("nothing changed at all: is the repository an input of anything?")


def changed(before: str, after: str, *wanted: str) -> None:
    """These at least."""
    found = {".".join(change) for change in changes(before, after)}
    if missing := set(wanted) - found:
        fail("these would not be built anew: " + ", ".join(sorted(missing)))


def lock(metadata: str) -> None:
    """What flake.lock has, as Nix reads it, and that the list of what is used speaks of the same revisions."""
    nodes = load(metadata)["locks"]["nodes"]
    inputs = nodes["root"]["inputs"]
    if set(nodes) != {"root", *inputs.values()}:
        fail(f"inputs have inputs of their own: {sorted(nodes)}")
    listed = Path("nix/nixpkgs-surface.md").read_text(encoding="utf-8")
    for name, node in inputs.items():
        revision = nodes[node]["locked"]["rev"]
        if not nodes[node]["locked"]["narHash"] or f"`{revision}`" not in listed:
            fail(f"nix/nixpkgs-surface.md says nothing of {name} at {revision}, which flake.lock has: look at what is used there, then change it")


def links(evaluation: str, *files: str) -> None:
    """What documents, workflows and scripts name as .#NAME is there."""
    found = load(evaluation)
    names = {name for part in ("packages", "apps") for name in found[part][LINUX[0]]}
    for file in files:
        for attribute in re.findall(r"\.#([A-Za-z][\w.-]*)", Path(file).read_text(encoding="utf-8")):
            attribute = attribute.rstrip(".")
            if attribute.startswith("checks."):
                attribute, known = attribute.split(".")[2], set(found["checks"][LINUX[0]])
            else:
                known = names
            if attribute not in known and attribute != "NAME":
                fail(f"{file}: .#{attribute}: the flake has no such output")


def script(shown: str) -> None:
    """The virtual machines' script is Python, and takes no name from nowhere: nixpkgs' driver would refuse it."""
    test = next(iter(load(shown).values()))["env"]
    tree = ast.parse(test["testScript"])
    known = set(dir(builtins)) | {"start_all", "subtest"} | json.loads(test["nodes"]).keys()  # the driver's
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            known.add(node.name)
        elif isinstance(node, ast.arg):
            known.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            known.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            known.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    unknown = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - known
    if unknown:
        fail(f"the test script knows no {', '.join(sorted(unknown))}")


# What nix/tests/secured-kafka/node.nix says at its head that differs, and what NixOS' module of ZooKeeper writes by itself.
OF_A_NODE = {"advertised.listeners", "broker.id", "broker.rack", "log.dirs", "super.users", "zookeeper.connect"}
OF_THE_MODULE = {"autopurge.purgeInterval", "dataDir"}


def settings(shown: str, kafka: str, zookeeper: str) -> None:
    """Brokers and servers of the virtual machines have the settings of Ansible's roles."""
    import yaml  # Ansible's own, in whose environment this runs

    def plain(value: Any) -> str:
        if isinstance(value, list):
            return ",".join(map(plain, value))
        return str(value).lower() if isinstance(value, bool) else str(value)

    def compare(what: str, ours: dict[str, str], theirs: dict[str, Any], apart: set[str]) -> None:
        if unlike := (ours.keys() ^ theirs.keys()) - apart:
            fail(f"{what}: only one of Ansible and nix/tests/secured-kafka/node.nix has {', '.join(sorted(unlike))}")
        for name in ours.keys() - apart:
            if ours[name] != plain(theirs[name]):
                fail(f"{what}: {name} is {ours[name]} in nix/tests/secured-kafka/node.nix, and {plain(theirs[name])} in Ansible")

    node = json.loads(next(iter(load(shown).values()))["env"]["nodes"])["kafka1"]["services"]
    ours = {name: plain(value) for name, value in node["apache-kafka"]["settings"].items()}
    theirs = yaml.safe_load(Path(kafka).read_text(encoding="utf-8"))["kafka_properties"]
    compare("Kafka", ours, theirs, OF_A_NODE)
    lines = node["zookeeper"]["extraConf"].strip().splitlines()
    theirs = yaml.safe_load(Path(zookeeper).read_text(encoding="utf-8"))["zookeeper_properties"]
    compare("ZooKeeper", dict(line.split("=", 1) for line in lines), theirs, OF_THE_MODULE)


COMMANDS = (derivations, one, number, outputs, unchanged, changed, lock, links, script, settings)

if __name__ == "__main__":
    {command.__name__: command for command in COMMANDS}[sys.argv[1]](*sys.argv[2:])
