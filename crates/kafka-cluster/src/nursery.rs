//! The thread that starts processes, which end with it.
//!
//! The system ends a process whose parent dies, if it is asked to; by parent it means the *thread* that started it. So one
//! thread starts them all, and lives as long as the cluster: whoever kills our process with -9 leaves no process of ours behind.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use crate::Error;

/// Dropped after the processes have ended: the system would end them anyway.
pub(crate) struct Nursery(SyncSender<(Command, SyncSender<io::Result<Child>>)>);

impl Nursery {
    pub(crate) fn new() -> Result<Self, Error> {
        let (sender, requests) = mpsc::sync_channel::<(Command, SyncSender<io::Result<Child>>)>(1);
        let work = move || {
            for (mut command, answer) in requests {
                // Whoever asked waits for the answer.
                let _ = answer.send(command.spawn());
            }
        };
        thread::Builder::new().name("nursery".into()).spawn(work).map_err(Error::io("start a thread"))?;
        Ok(Self(sender))
    }

    pub(crate) fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, child) = mpsc::sync_channel(1);
        let gone = |_| io::Error::other("the thread that starts processes has ended");
        self.0.send((command, answer)).map_err(|_| gone(()))?;
        child.recv().map_err(|_| gone(()))?
    }
}
