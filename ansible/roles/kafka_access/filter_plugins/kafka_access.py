"""Users and rights, as topology.json needs them and as Kafka's commands show them.

A right is a tuple (permission, user, host, operation, kind, name, pattern), in Kafka's own words.
"""

import base64
import hashlib
import hmac
import re
from collections import defaultdict

ANYWHERE = "*"
LITERAL = "LITERAL"
CLUSTER = ("CLUSTER", "kafka-cluster")


def topology_rights(topology):
    """What each service needs: no more.

    >>> for right in topology_rights({"services": {"shop": {"host": "lambda", "produces": ["sold"], "consumes": [
    ...     {"topic": "wanted", "group": None, "dead_letter": "shop.wanted.dead_letter"}]}}}):
    ...     print(right[1], *right[3:6])
    shop DESCRIBE TOPIC shop.wanted.dead_letter
    shop DESCRIBE TOPIC sold
    shop DESCRIBE TOPIC wanted
    shop DESCRIBE GROUP shop.wanted
    shop DESCRIBE_CONFIGS CLUSTER kafka-cluster
    shop READ TOPIC wanted
    shop READ GROUP shop.wanted
    shop WRITE TOPIC shop.wanted.dead_letter
    shop WRITE TOPIC sold
    """
    rights = set()

    def allow(user, operations, resource):
        rights.update(("ALLOW", user, ANYWHERE, operation, *resource, LITERAL) for operation in operations)

    for user, service in topology["services"].items():
        for topic in service["produces"]:
            allow(user, ("WRITE", "DESCRIBE"), ("TOPIC", topic))
        for consumed in service["consumes"]:
            topic = consumed["topic"]
            allow(user, ("READ", "DESCRIBE"), ("TOPIC", topic))
            allow(user, ("READ", "DESCRIBE"), ("GROUP", consumed["group"] or f"{user}.{topic}"))
            if service["host"] == "lambda":
                allow(user, ("DESCRIBE_CONFIGS",), CLUSTER)  # its event source mapping asks for it
            if consumed["dead_letter"]:
                allow(user, ("WRITE", "DESCRIBE"), ("TOPIC", consumed["dead_letter"]))
    return _sorted(rights)


def acl_rights(listing):
    """What `kafka-acls.sh --list` shows.

    >>> acl_rights('''Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=sold, patternType=LITERAL)`:
    ...  \\t(principal=User:shop, host=*, operation=WRITE, permissionType=ALLOW)
    ... \\t(principal=User:shop, host=*, operation=DESCRIBE, permissionType=ALLOW)
    ... ''')
    [('ALLOW', 'shop', '*', 'DESCRIBE', 'TOPIC', 'sold', 'LITERAL'), ('ALLOW', 'shop', '*', 'WRITE', 'TOPIC', 'sold', 'LITERAL')]
    """
    rights, resource = set(), None
    for line in listing.splitlines():
        if found := re.search(r"ResourcePattern\(resourceType=(\w+), name=(.*), patternType=(\w+)\)", line):
            resource = found.groups()
        elif found := re.search(r"\(principal=User:(.*), host=(.*), operation=(\w+), permissionType=(\w+)\)", line):
            user, host, operation, permission = found.groups()
            rights.add((permission, user, host, operation, *resource))
    return _sorted(rights)


def acl_calls(rights):
    """Arguments of `kafka-acls.sh`, as few calls as may be: each starts a Java.

    One call gives all of its users all of its operations on all of its resources.

    >>> acl_calls([("ALLOW", "shop", "*", operation, "TOPIC", topic, "LITERAL")
    ...            for topic in ("sold", "lost") for operation in ("WRITE", "DESCRIBE")])
    [['--allow-principal', 'User:shop', '--operation', 'Describe', '--operation', 'Write', '--topic', 'lost', '--topic', 'sold']]
    >>> acl_calls([("ALLOW", user, "*", "DESCRIBE_CONFIGS", "CLUSTER", "kafka-cluster", "LITERAL") for user in ("a", "b")])
    [['--allow-principal', 'User:a', '--allow-principal', 'User:b', '--operation', 'DescribeConfigs', '--cluster']]
    >>> acl_calls([("DENY", "a", "10.0.0.1", "READ", "GROUP", "a.", "PREFIXED")])  # doctest: +NORMALIZE_WHITESPACE
    [['--deny-principal', 'User:a', '--deny-host', '10.0.0.1', '--operation', 'Read', '--group', 'a.',
      '--resource-pattern-type', 'prefixed']]
    """
    operations = defaultdict(set)
    for permission, user, host, operation, kind, name, pattern in rights:
        operations[permission, user, host, kind, name, pattern].add(operation)
    resources = defaultdict(set)
    for (permission, user, host, kind, name, pattern), done in operations.items():
        resources[permission, user, host, pattern, tuple(sorted(done))].add((kind, name))
    users = defaultdict(set)
    for (permission, user, host, pattern, done), on in resources.items():
        users[permission, host, pattern, done, tuple(sorted(on))].add(user)
    return [_arguments(*call, tuple(sorted(who))) for call, who in sorted(users.items())]


def _arguments(permission, host, pattern, operations, resources, users):
    verb = permission.lower()
    arguments = [word for user in users for word in (f"--{verb}-principal", f"User:{user}")]
    if host != ANYWHERE:
        arguments += [f"--{verb}-host", host]
    for operation in operations:
        arguments += ["--operation", operation.title().replace("_", "")]  # shown as DESCRIBE_CONFIGS, taken as DescribeConfigs
    for kind, name in resources:
        arguments += ["--cluster"] if kind == "CLUSTER" else [f"--{kind.lower().replace('_', '-')}", name]
    if pattern != LITERAL:
        arguments += ["--resource-pattern-type", pattern.lower()]
    return arguments


def scram_users(description):
    """Names of the users that `kafka-configs.sh --describe` shows with a credential.

    >>> scram_users('''Configs for user-principal 'shop' are SCRAM-SHA-512=salt=YQ==,stored_key=YQ==,server_key=YQ==,iterations=4096
    ... Configs for user-principal 'gone' are ''')
    ['shop']
    """
    return sorted(_credentials(description))


def scram_mismatches(description, passwords, users):
    """Those users whose credential is missing or of another password (RFC 5802).

    >>> shown = ("Configs for user-principal 'shop' are SCRAM-SHA-512=salt=c2FsdA==,stored_key="
    ...          + _stored_key("right", b"salt", 4096) + ",server_key=,iterations=4096")
    >>> scram_mismatches(shown, {"shop": "right", "new": "any"}, ["shop", "new"])
    ['new']
    >>> scram_mismatches(shown, {"shop": "wrong"}, ["shop"])
    ['shop']
    """
    found = _credentials(description)

    def holds(user):
        salt, stored_key, iterations = found[user]
        return hmac.compare_digest(_stored_key(passwords[user], base64.b64decode(salt), int(iterations)), stored_key)

    return [user for user in users if user not in found or not holds(user)]


def _credentials(description):
    pattern = r"^Configs for user-principal '(.*)' are .*SCRAM-SHA-512=salt=(.*?),stored_key=(.*?),server_key=.*?,iterations=(\d+)"
    return {user: credential for user, *credential in re.findall(pattern, description, re.MULTILINE)}


def _stored_key(password, salt, iterations):
    salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha512")
    return base64.b64encode(hashlib.sha512(client_key).digest()).decode()


def _sorted(rights):
    return sorted(rights, key=lambda right: (right[1], right[3], right[4] != "TOPIC", right[4:]))


class FilterModule:
    """What Ansible looks for."""

    def filters(self):
        return {
            "acl_calls": acl_calls,
            "acl_rights": acl_rights,
            "scram_mismatches": scram_mismatches,
            "scram_users": scram_users,
            "topology_rights": topology_rights,
        }
