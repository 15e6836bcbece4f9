number = "split_part(order_id, '-', 3)::bigint"  # of ORD-20260101-00042, 42


def wait_until_shared(*partitions: int) -> None:
    """Until the consumers' group has as many members, with so many partitions each."""
    members = at_brokers("kafka-consumer-groups.sh", "--describe", "--members", "--group", facts["group"])
    counted = f"{members} | grep '^{facts['group']} ' | grep -oE '[0-9]+ *$' | sort -n | xargs"
    client.wait_until_succeeds(f'test "$({counted})" = "{shlex.join(map(str, partitions))}"', timeout=120)


def wait_until_stored(more: int) -> None:
    """Until so many orders stand behind those that are stored by now, and none is missing before them: numbers have no gap."""
    last = int(ask(f"max({number}) FROM food.orders")) + more
    wait_until(f"count(*) = {last + 1} - min({number}) FROM food.orders WHERE {number} <= {last}")


def check_memory(node, service: str) -> None:
    """Its worker has the topology's limit, was always below it, and never started anew."""
    shown = node.succeed(f"systemctl show -p MemoryMax -p MemoryPeak -p NRestarts {worker(service)}")
    found = {name: int(value) for name, value in (line.split("=") for line in shown.splitlines())}
    limit = facts["memory_mib"] * 1024 * 1024
    assert found["MemoryPeak"] < found["MemoryMax"] == limit and found["NRestarts"] == 0, (service, found)


def plan(question: str) -> str:
    """How PostgreSQL finds the answer."""
    return database.succeed(psql("--command", f"EXPLAIN SELECT {question}"), timeout=60)


start_all()

with subtest("given a secured Kafka with the topology's users, topics and rights, and a PostgreSQL"):
    start_cluster()
    wait_for_database()

with subtest("a service may not write to a topic that another one writes"):
    refusal = write_as("food_producer", "order_placed")
    assert "TopicAuthorizationException" in refusal, refusal

with subtest("a consumer without a database does not start"):
    refusal = client.fail(orderflow("food_consumer", "work food_consumer 2>&1"), timeout=60)
    assert "DATABASE_URL is not set" in refusal, refusal

with subtest("given a consumer on each of two hosts, they share the partitions"):
    start_workers(worker1, ["food_consumer"])
    start_workers(worker2, ["food_consumer"])
    wait_until_shared(1, 2)

with subtest("when a host crashes between orders, the other one has its partitions, and stores them"):
    start_workers(worker1, ["food_producer"])
    wait_until("count(*) >= 100 FROM food.orders")
    worker2.crash()
    wait_until_shared(3)
    wait_until_stored(50)

with subtest("when PostgreSQL starts anew, orders are stored once it is back"):
    restart_database()
    wait_until_stored(50)

with subtest("when the host comes back, it takes its share again"):
    worker2.start()
    worker2.wait_for_unit("multi-user.target", timeout=120)
    start_workers(worker2, ["food_consumer"])
    wait_until_shared(1, 2)
    assert int(ask("count(*) FROM food.orders")) < facts["orders"], "there was no order left for it"
    check_memory(worker1, "food_producer")  # its unit is forgotten once it has ended

with subtest("then every order stands in the table once, by what stands in the topic"):
    wait_until(f"count(*) = {facts['orders']} FROM food.orders")
    audited = audit("food", settings=(f"DATABASE_URL={shlex.quote(facts['database_url'])}",))
    assert audited["audit"]["passed"], audited
    assert audited["audit"]["lost"] == audited["audit"]["doubled"] == 0, audited
    assert audited["orders"]["accepted"] == audited["outcomes"]["stored"] == facts["orders"], audited

with subtest("and the table adds up by itself"):
    wrong = database.succeed(psql("--set", f"orders={facts['orders']}", "--file", facts["discrepancies"]), timeout=60)
    assert not wrong, wrong

with subtest("and its indexes find the newest order by its time, and its row by its id"):
    by_time = "order_id FROM food.orders ORDER BY created_at DESC, order_id DESC LIMIT 1"
    by_id = f"{number} FROM food.orders WHERE order_id = '{ask(by_time)}'"
    assert ask(by_id) == ask(f"max({number}) FROM food.orders")
    assert "orders_created_at" in plan(by_time) and "orders_pkey" in plan(by_id), plan(by_time) + plan(by_id)

with subtest("and no consumer came to its limit of memory"):
    check_memory(worker1, "food_consumer")
    check_memory(worker2, "food_consumer")
