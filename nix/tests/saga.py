def wait_until_settled() -> None:
    """Until every order that has begun by now has ended."""
    now = ask("max(recorded_at) FROM saga.events")
    begun = f"FROM saga.streams JOIN saga.events USING (stream) WHERE events.version = 1 AND recorded_at <= '{now}'"
    wait_until(f"count(due_at) = 0 {begun}")


def let_in(password: str, parameters: str) -> tuple[int, str]:
    """Whether the database lets a worker's host in, and what it says."""
    url = f"postgres://orderflow@database/orderflow?{parameters}"
    return worker2.execute(f"PGPASSWORD={password} psql {shlex.quote(url)} --command 'SELECT 1' 2>&1", timeout=60)


start_all()

with subtest("given a secured Kafka with the topology's users, topics and rights, and a PostgreSQL"):
    start_cluster()
    wait_for_database()

with subtest("PostgreSQL lets in who has the password, by TLS"):
    verified = f"sslmode=verify-full&sslrootcert={facts['ca']}"
    status, said = let_in(facts["password"], verified)
    assert status == 0, said
    status, said = let_in("wrong", verified)
    assert status != 0 and "password authentication failed" in said, said
    status, said = let_in(facts["password"], "sslmode=disable")
    assert status != 0 and "no encryption" in said, said

with subtest("a service may not write to a topic that another one writes"):
    refusal = write_as("payment_service", "orders.completed")
    assert "TopicAuthorizationException" in refusal, refusal

with subtest("given the saga's services on two hosts"):
    start_workers(worker1, [service for service in facts["hosts"]["worker1"] if service != "order_service"])
    start_workers(worker2, facts["hosts"]["worker2"])

with subtest("when a host crashes between orders, the other one ends them"):
    start_workers(worker1, ["order_service"])  # it places them, too
    wait_until("count(*) >= 100 FROM saga.streams")
    worker2.crash()
    wait_until_settled()

with subtest("when PostgreSQL starts anew, they go on once it is back"):
    restart_database()
    wait_until_settled()

with subtest("when the host comes back, it takes its share again"):
    worker2.start()
    worker2.wait_for_unit("multi-user.target", timeout=120)
    start_workers(worker2, facts["hosts"]["worker2"])
    assert int(ask("count(*) FROM saga.streams")) < facts["orders"], "there was no order left for it"

with subtest("then every order has come to one end, by what stands in the topics"):
    wait_until(f"count(*) = {facts['orders']} AND count(due_at) = 0 FROM saga.streams")
    audited = audit("saga")
    assert audited["audit"]["passed"], audited
    assert audited["audit"]["lost"] == audited["audit"]["doubled"] == 0, audited
    assert audited["orders"]["accepted"] == facts["orders"], audited

with subtest("and PostgreSQL has the same ends; money, stock and e-mails add up with them"):
    ends = {end: int(ask(f"count(*) FROM saga.events WHERE event_type = '{end}'")) for end in ("completed", "failed")}
    assert ends == {end: audited["outcomes"][end] for end in ends}, (ends, audited)
    assert min(ends.values()) > 0, ends  # both were tried
    wrong = database.succeed(psql("--set", f"pieces={facts['pieces']}", "--file", facts["discrepancies"]), timeout=60)
    assert not wrong, wrong
