//! A network between clients and one broker that can be cut and slowed.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::Error;

/// More than a test has clients; who is one too many is turned away.
const MAX_CONNECTIONS: usize = 512;
const PIECE_BYTES: usize = 64 * 1024;

/// Stands before one broker on the way of all clients. Two threads a connection; ends with the cluster.
pub struct Proxy {
    port: u16,
    way: Arc<Way>,
    acceptor: Option<JoinHandle<()>>,
}

/// What all threads of a proxy see.
struct Way {
    broker: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    delay: Duration,
    has_ended: bool,
    next: u64,
    /// Both ends of each connection, to be closed at the end.
    connections: BTreeMap<u64, [TcpStream; 2]>,
}

impl Proxy {
    /// A proxy before the broker on this port of loopback.
    pub(crate) fn before(broker: u16) -> Result<Self, Error> {
        let failed = || Error::io("start a proxy");
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed())?;
        let port = listener.local_addr().map_err(failed())?.port();
        let way = Arc::new(Way { broker, state: Mutex::default(), changed: Condvar::new() });
        let accepting = Arc::clone(&way);
        let acceptor = thread::Builder::new().name(format!("proxy-{port}"));
        let acceptor = acceptor.spawn(move || accepting.accept(&listener)).map_err(failed())?;
        Ok(Self { port, way, acceptor: Some(acceptor) })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the network: nothing passes in either direction and nobody is told, as if a cable was pulled. New connections hang.
    pub fn cut(&self) {
        self.way.change(|state| state.is_cut = true);
    }

    /// Heals it: what was held goes on its way.
    pub fn heal(&self) {
        self.way.change(|state| state.is_cut = false);
    }

    /// Delays each piece of up to 64 KiB in each direction; zero ends it.
    pub fn delay(&self, delay: Duration) {
        self.way.change(|state| state.delay = delay);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.way.change(|state| {
            state.has_ended = true;
            for stream in state.connections.values().flatten() {
                // One that is closed already is what we want.
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        // Wakes the acceptor, which then sees the end.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.acceptor.take().map(JoinHandle::join);
    }
}

impl Way {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until the network is whole; answers with its delay, or `None` at the end.
    fn whole(&self) -> Option<Duration> {
        let is_cut = |state: &mut State| state.is_cut && !state.has_ended;
        let state = self.changed.wait_while(self.lock(), is_cut).unwrap_or_else(PoisonError::into_inner);
        (!state.has_ended).then_some(state.delay)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            if self.lock().has_ended {
                return;
            }
            let way = Arc::clone(self);
            // A connection that finds no thread is closed: a client tries again.
            let _ = thread::Builder::new().name("proxy".into()).spawn(move || way.carry(client));
        }
    }

    /// One connection, to its end.
    fn carry(&self, client: TcpStream) {
        if self.whole().is_none() {
            return;
        }
        // A broker that is down: the client's connection ends as it would have been refused.
        let Ok(broker) = TcpStream::connect(("127.0.0.1", self.broker)) else { return };
        let Ok(id) = self.enter(&client, &broker) else { return };
        thread::scope(|scope| {
            scope.spawn(|| self.pass(&client, &broker));
            self.pass(&broker, &client);
        });
        self.lock().connections.remove(&id);
    }

    fn enter(&self, client: &TcpStream, broker: &TcpStream) -> io::Result<u64> {
        for stream in [client, broker] {
            stream.set_nodelay(true)?;
        }
        let ends = [client.try_clone()?, broker.try_clone()?];
        let mut state = self.lock();
        if state.has_ended || state.connections.len() >= MAX_CONNECTIONS {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let id = state.next;
        state.next += 1;
        state.connections.insert(id, ends);
        Ok(id)
    }

    /// Passes on what comes, until one end closes; then the other learns of it, once the network is whole.
    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let length = from.read(&mut piece).unwrap_or(0);
            let Some(delay) = self.whole() else { break };
            if length == 0 {
                break;
            }
            if !delay.is_zero() {
                thread::sleep(delay);
            }
            if to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        for stream in [from, to] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::io::BufReader;
    use std::sync::mpsc::{self, Receiver};

    use super::*;

    /// A server that tells which lines it gets, in their order, and answers each with the same.
    fn server() -> (u16, Receiver<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, lines) = mpsc::sync_channel(16);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, told) = (stream.unwrap(), told.clone());
                thread::spawn(move || {
                    for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                        told.send(line.clone()).unwrap();
                        writeln!(&stream, "{line}").unwrap();
                    }
                });
            }
        });
        (port, lines)
    }

    fn client(port: u16, line: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        writeln!(stream, "{line}").unwrap();
        stream
    }

    fn answer(stream: &TcpStream) -> String {
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    }

    #[test]
    fn what_is_sent_while_the_network_is_cut_arrives_once_it_is_healed() {
        let (server, lines) = server();
        let proxy = Proxy::before(server).unwrap();
        let mut old = client(proxy.port(), "before");
        assert_eq!(answer(&old), "before\n");
        proxy.cut();
        writeln!(old, "held").unwrap();
        let new = client(proxy.port(), "held too");
        let direct = client(server, "direct");
        assert_eq!(answer(&direct), "direct\n");
        proxy.heal();
        assert_eq!((answer(&old), answer(&new)), ("held\n".into(), "held too\n".into()));
        let arrived: Vec<String> = lines.try_iter().collect();
        assert_eq!(arrived[..2], ["before", "direct"]);
    }

    #[test]
    fn a_client_learns_that_the_broker_is_down_and_that_the_proxy_has_ended() {
        let (server, _lines) = server();
        let proxy = Proxy::before(server).unwrap();
        let client = client(proxy.port(), "line");
        assert_eq!(answer(&client), "line\n");
        drop(proxy);
        assert_eq!(answer(&client), "");

        let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let proxy = Proxy::before(nobody).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
}
