use std::thread;
use std::time::{Duration, Instant};

use nix::pty::openpty;

use crate::call::orderflow;

/// Those that do nothing without brokers.
const COMMANDS: [&str; 6] =
    ["audit", "inject order_placed -", "monitor --once", "reset --yes", "topics create", "topics diff"];

#[test]
fn brokers_that_cannot_be_reached_are_told_within_ten_seconds() {
    let terminal = openpty(None, None).unwrap();
    let calls = COMMANDS.map(|command| orderflow(&format!("{command} --brokers 127.0.0.1:1")));
    // Nobody is asked before they answer.
    let asking = orderflow("reset --brokers 127.0.0.1:1").terminal(terminal.slave);
    // At once: each waits, and does nothing else.
    let tries: Vec<_> = calls
        .into_iter()
        .chain([asking])
        .map(|call| {
            thread::spawn(move || {
                let started = Instant::now();
                (call.end().with_status(1).stderr, started.elapsed())
            })
        })
        .collect();
    for (told, after) in tries.into_iter().map(|tried| tried.join().unwrap()) {
        assert!(told.starts_with("error: 127.0.0.1:1: no answer within 9 s ("), "{told}");
        assert!(told.contains("Connection refused"), "{told}");
        assert!(after < Duration::from_secs(10), "{after:?}: {told}");
    }
}
