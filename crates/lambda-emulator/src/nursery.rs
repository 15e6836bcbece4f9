//! The thread that starts processes, which end with it: the system ends a process whose parent dies if it is asked to, and by
//! parent it means the *thread*.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{self, SyncSender};

type Order = (Command, SyncSender<io::Result<Child>>);

pub(crate) struct Nursery(SyncSender<Order>);

impl Nursery {
    pub(crate) fn start() -> io::Result<Self> {
        let (sender, orders) = mpsc::sync_channel::<Order>(1);
        let work = move || {
            for (mut command, answer) in orders {
                let _ = answer.send(command.spawn()); // whoever asked waits for it
            }
        };
        std::thread::Builder::new().name("nursery".into()).spawn(work)?;
        Ok(Self(sender))
    }

    pub(crate) fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts processes has ended");
        let (answer, child) = mpsc::sync_channel(1);
        self.0.send((command, answer)).map_err(|_| gone())?;
        child.recv().map_err(|_| gone())?
    }
}
