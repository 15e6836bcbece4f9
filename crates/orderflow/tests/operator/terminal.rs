use kafka_cluster::Cluster;

use crate::tmux::Tmux;
use crate::worker::Worker;
use crate::{on, start};

/// A terminal on which the monitor looks at the shop on this cluster, with these further options.
fn monitored(cluster: &Cluster, options: &str) -> Tmux {
    let terminal = Tmux::start();
    let brokers = cluster.brokers();
    let monitor = format!("orderflow monitor --interval 250ms --system shop --brokers {brokers} {options}");
    terminal.enter(&format!("{monitor}; echo ended: $?"));
    terminal.await_shown("answers, asked every 250ms");
    terminal
}

/// The cells of the first line that begins with this, whether it is selected or not.
fn line<'a>(screen: &'a str, begin: &str) -> Vec<&'a str> {
    let line = screen.lines().find(|line| line.trim_start_matches(['>', ' ']).starts_with(begin));
    line.map(|line| line.trim_start_matches('>').split_whitespace().collect()).unwrap_or_default()
}

/// A number as the screen writes it; nothing where it is not known.
fn number(cell: Option<&&str>) -> Option<f64> {
    cell?.replace(',', "").parse().ok()
}

/// How the payments stand: records a second that come, lag, and where that goes.
fn payments(screen: &str) -> (f64, f64, String) {
    let cells = line(screen, "payment_processor ");
    let number = |index| number(cells.get(index)).unwrap_or(f64::NAN);
    (number(2), number(3), cells.get(4).copied().unwrap_or_default().to_owned())
}

#[test]
fn a_lag_is_seen_to_grow_while_nobody_works_and_to_drain_once_somebody_does() {
    let cluster = start();
    let orders = Worker::start(on(&cluster, "work order_generator --rate 200 --seed 7"));
    let terminal = monitored(&cluster, "");
    terminal.await_screen("that the lag grows", |screen| {
        let (per_s, lag, trend) = payments(screen);
        per_s > 50.0 && lag > 1_000.0 && trend == "growing"
    });
    let worker = Worker::start(on(&cluster, "work payment_processor"));
    terminal.await_screen("that the lag drains", |screen| payments(screen).2 == "draining");
    terminal.await_screen("a member of the group", |screen| line(screen, "payment_processor ").last() == Some(&"1"));
    terminal.press(&["t"]);
    terminal.await_screen("that payments are written", |screen| {
        number(line(screen, "payment_result ").get(3)).is_some_and(|per_s| per_s > 50.0)
    });
    terminal.press(&["g"]);
    orders.terminate().with_status(0);
    terminal.await_screen("that nothing is behind", |screen| {
        let (_, lag, trend) = payments(screen);
        (lag, trend.as_str()) == (0.0, "steady")
    });
    worker.terminate().with_status(0);
}

#[test]
fn workers_are_asked_what_they_do_and_one_that_is_gone_is_told() {
    let cluster = start();
    let orders = Worker::start(on(&cluster, "work order_generator --rate 200 --seed 7"));
    let worker = Worker::start(on(&cluster, "work payment_processor --reject 10% --listen 127.0.0.1:0"));
    let address = worker.await_told("listening")["address"].as_str().unwrap().to_owned();
    let terminal = monitored(&cluster, &format!("--worker {address} --worker 127.0.0.1:1"));
    terminal.press(&["w"]);
    terminal.await_screen("what the worker does", |screen| {
        let cells = line(screen, "1 payment_processor ");
        let [per_s, dead] = [3, 5].map(|index| number(cells.get(index)).unwrap_or(0.0));
        per_s > 50.0
            && dead > 0.0
            && cells.get(7).is_some_and(|p99| p99.contains('s'))
            && cells.last() == Some(&"closed")
    });
    terminal.await_shown(&format!(" 1 {address}: 1 group"));
    terminal.await_shown(" 2 127.0.0.1:1: NO ANSWER: ");
    terminal.press(&["l"]);
    terminal.await_shown("calls/s");
    orders.terminate().with_status(0);
    worker.terminate().with_status(0);
    terminal.await_shown(&format!(" 1 {address}: NO ANSWER: "));
}

#[test]
fn keys_lead_through_it_whatever_the_size_and_q_gives_the_terminal_back() {
    let cluster = start();
    let terminal = monitored(&cluster, "");
    assert!(terminal.is_taken_over());
    terminal.await_shown("up/down  enter partitions");
    terminal.press(&["Down", "Down", "j", "Up", "j", "Down"]);
    terminal.await_shown(">payment_processor ");
    terminal.press(&["Enter"]);
    terminal.await_shown("payment_processor reads order_placed as group payment_processor.order_placed");
    terminal.press(&["Down", "Down", "Down"]);
    terminal.await_shown(">2 ");
    terminal.press(&["t"]);
    terminal.await_shown("of late");
    terminal.press(&["?"]);
    terminal.await_shown("What is seen of each service");
    terminal.press(&["x"]);
    terminal.await_shown("of late");

    terminal.resize(20, 5);
    terminal.await_screen("that 20x5 is too small", |screen| {
        screen.split_whitespace().collect::<Vec<_>>().join(" ") == "20x5 is too small: the monitor needs 80x24."
    });
    terminal.resize(120, 40);
    terminal.await_shown("of late");
    terminal.press(&["Escape"]);
    terminal.await_shown("dead letters");
    terminal.resize(80, 24);
    terminal.await_shown(">payment_processor ");

    terminal.press(&["q"]);
    terminal.await_shown("ended: 0");
    assert!(!terminal.is_taken_over());
    // What is typed is seen again, and a line is a line.
    terminal.enter("echo typed and $((6 * 7))");
    terminal.await_screen("what was typed", |screen| {
        screen.contains("$ echo typed and $((6 * 7))") && screen.contains("\ntyped and 42")
    });
}
