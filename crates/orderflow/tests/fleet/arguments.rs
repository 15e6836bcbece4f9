use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What processes of this machine were called with while it watched, those within hosts included.
pub(crate) struct Arguments {
    has_ended: Arc<AtomicBool>,
    watching: JoinHandle<BTreeSet<Vec<u8>>>,
}

/// Kafka's commands take a second, Ansible's modules a part of one.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Arguments {
    pub(crate) fn watch() -> Self {
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&has_ended);
        let watching = thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !ended.load(Ordering::Acquire) {
                let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
                seen.extend(processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok()));
                thread::sleep(LOOK_EVERY);
            }
            seen
        });
        Self { has_ended, watching }
    }

    /// All of them, as one text.
    pub(crate) fn end(self) -> String {
        self.has_ended.store(true, Ordering::Release);
        let seen = self.watching.join().unwrap();
        println!("{} processes were seen", seen.len());
        seen.iter().map(|bytes| String::from_utf8_lossy(bytes) + "\n").collect()
    }
}
