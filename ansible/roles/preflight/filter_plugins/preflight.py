"""What of topology.json concerns an inventory."""


def topology_of(topology, system, brokers):
    """The services of one system with their topics, and of each no more replicas than there are brokers.

    >>> consumes = [{"topic": "wanted", "group": None, "dead_letter": None}]
    >>> of = topology_of({
    ...     "topics": {name: {"partitions": 3, "replication": 3} for name in ("wanted", "sold", "other")},
    ...     "services": {
    ...         "shop": {"system": "ours", "produces": ["sold"], "consumes": consumes},
    ...         "mailer": {"system": "theirs", "produces": ["other"], "consumes": consumes}}}, "ours", 1)
    >>> of["topics"]
    {'wanted': {'partitions': 3, 'replication': 1}, 'sold': {'partitions': 3, 'replication': 1}}
    >>> list(of["services"])
    ['shop']
    """
    services = {name: service for name, service in topology["services"].items() if service["system"] == system}
    used = set()
    for service in services.values():
        used.update(service["produces"])
        used.update(consumed[name] for consumed in service["consumes"] for name in ("topic", "dead_letter"))
    return {
        "topics": {
            name: {**topic, "replication": min(topic["replication"], brokers)}
            for name, topic in topology["topics"].items()
            if name in used
        },
        "services": services,
    }


class FilterModule:
    """What Ansible looks for."""

    def filters(self):
        return {"topology_of": topology_of}
