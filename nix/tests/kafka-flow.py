run = "kafka-flow"


def place(orders: int) -> int:
    """Has order_generator place orders, again where a broker went away meanwhile; tells how many it says it has placed."""
    payload = shlex.quote(json.dumps({"orders": orders, "run": run}))
    answer = functions.wait_until_succeeds(
        f"orderflow lambda invoke order_generator --payload {payload}", timeout=120
    )
    return json.loads(answer)["orders"]


start_all()

with subtest("given a secured Kafka with the topology's users, topics and rights"):
    start_cluster()

with subtest("who has a wrong password is refused"):
    refusal = functions.fail(orderflow("admin", "topics diff 2>&1", "KAFKA_PASSWORD=wrong"), timeout=60)
    assert "was refused" in refusal, refusal

with subtest("a service may not write to a topic that another one writes"):
    refusal = write_as("payment_processor", "order_shipped")
    assert "TopicAuthorizationException" in refusal, refusal

with subtest("given the shop's functions"):
    functions.succeed("systemctl start lambda-emulator")
    functions.wait_for_open_port(9001, addr="127.0.0.1", timeout=60)
    functions.succeed("orderflow lambda invoke hello_world", timeout=60)

with subtest("when a node crashes between orders, orders go on without it"):
    placed = place(400)
    kafka3.crash()
    placed += place(300)
    wait_until_missed(3)
    placed += place(300)

with subtest("when it comes back, every partition has all of its replicas again"):
    kafka3.start()
    kafka3.wait_for_unit("zookeeper", timeout=120)
    kafka3.succeed("systemctl start apache-kafka")
    kafka3.wait_for_open_port(9093, timeout=120)
    wait_for_replicas()

with subtest("then no order is lost and none is doubled"):
    audited = audit("--run", run)
    assert audited["audit"]["passed"], audited
    assert audited["audit"]["lost"] == audited["audit"]["doubled"] == 0, audited
    assert placed >= 1000 and audited["orders"]["accepted"] >= placed, (placed, audited)

with subtest("and the same services do so as workers"):
    functions.succeed("systemctl stop lambda-emulator", timeout=90)
    *consumers, generator = sorted(facts["workers"], key=lambda service: service == "order_generator")
    start_workers(functions, [*consumers, generator])
    functions.wait_until_succeeds(f"test $(systemctl show -P ActiveState {worker(generator)}) = inactive", timeout=60)
    audited = audit()
    assert audited["audit"]["passed"] and audited["orders"]["accepted"] == 200, audited
