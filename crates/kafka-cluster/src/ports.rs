//! Free ports on loopback.

use std::net::TcpListener;
use std::ops::RangeInclusive;

use crate::Error;

/// Below those that the system gives to outgoing connections, from 32,768 on: while a broker is down no client that calls it
/// gets its port by chance, and speaks with itself.
const RANGE: RangeInclusive<u16> = 20_000..=31_999;
const TRIES: usize = 1_000;

/// Ports that were free a moment ago, held until they are needed: so that one is not handed out twice.
#[derive(Default)]
pub(crate) struct Ports(Vec<TcpListener>);

impl Ports {
    pub(crate) fn take(&mut self) -> Result<u16, Error> {
        let (port, listener) = (0..TRIES)
            .find_map(|_| {
                let port = rand::random_range(RANGE);
                TcpListener::bind(("127.0.0.1", port)).ok().map(|listener| (port, listener))
            })
            .ok_or_else(|| Error::Io {
                doing: format!("find a free port of {RANGE:?} on 127.0.0.1"),
                source: std::io::ErrorKind::AddrInUse.into(),
            })?;
        self.0.push(listener);
        Ok(port)
    }
}
