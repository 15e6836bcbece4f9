use postgres_store::{Error, Store};

use crate::database::{self, sql, url_of};

#[track_caller]
fn check(url: &str, expected: &str) -> Error {
    let error = Store::open(url).map(drop).unwrap_err();
    assert_eq!(error.to_string(), expected);
    error
}

#[test]
fn a_store_that_is_not_opened_says_why() {
    let mut server = database::start();
    let url = server.url_of("orders");
    let (user, address) = url.split_once('@').unwrap();
    let password = user.rsplit_once(':').unwrap().1;
    check(
        &url,
        &format!("{address}: database \"orders\" does not exist (3D000); create it, as the command createdb does"),
    );
    let hint = "check user and password of the URL, and pg_hba.conf of the server";
    let said = "password authentication failed for user \"postgres\" (28P01)";
    let not_let_in = format!("{address}: postgres is not let in: {said}; {hint}");
    check(&url.replace(password, "guessed"), &not_let_in);
    check(
        &format!("{url}?sslmode=require"),
        &format!(
            "{address}: TLS: server does not support TLS; sslrootcert of the URL names the authority that signed the server's certificate"
        ),
    );
    // Nobody but its owner may make tables there.
    sql(&server.url(), "CREATE ROLE guest LOGIN PASSWORD 'guest'");
    sql(&server.url(), "CREATE DATABASE orders");
    check(
        &url.replace(&format!("postgres:{password}"), "guest:guest"),
        &format!("{address}: bring its tables up to date: permission denied for database orders (42501)"),
    );
    sql(&server.url(), "ALTER DATABASE orders CONNECTION LIMIT 0");
    let full = check(
        &url_of(&server, "guest").replace("/postgres", "/orders"),
        &format!("{address}: connect: too many connections for database \"orders\" (53300)"),
    );
    assert!(full.may_pass());
    server.stop().unwrap();
    check(&url, &format!("{address}: connection refused; is PostgreSQL running, and does it listen there?"));
    check(
        "postgres://postgres@no-such-host.invalid/orders",
        "no-such-host.invalid:5432/orders: no such host; is its name right, and does DNS know it?",
    );
}
