# The PostgreSQL beside the cluster, and what a test asks it.


def wait_for_database() -> None:
    database.wait_for_unit("postgresql.target", timeout=120)


def restart_database() -> None:
    database.succeed("systemctl restart postgresql", timeout=120)
    wait_for_database()


def psql(*arguments: str) -> str:
    """PostgreSQL's client, as its administrator on its own host."""
    plain = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1")
    return shlex.join(("sudo", "-u", "postgres", "psql", "--dbname", "orderflow", *plain, *arguments))


def ask(question: str) -> str:
    return database.succeed(psql("--command", f"SELECT {question}"), timeout=60).strip()


def wait_until(condition: str) -> None:
    """Until it holds in the database, in whose absence it does not."""
    command = psql("--command", f"SELECT {condition}")
    database.wait_until_succeeds(f'test "$({command})" = t', timeout=300)
