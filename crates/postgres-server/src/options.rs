//! Which server.

use std::path::Path;

use crate::{Detached, Error, Server};

/// Which server: without options it speaks no TLS, and writes to disk before it confirms. In any case nobody comes in without the password, a
/// random one that [`Server::url`] holds: whoever else is on this machine reaches loopback, too, and a superuser runs programs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub(crate) speaks_tls: bool,
    pub(crate) trusts_the_system: bool,
}

impl Options {
    /// Lets nobody in without TLS; the certificate is of a private authority, whose own [`Server::ca_file`] is.
    #[must_use]
    pub fn with_tls(self) -> Self {
        Self { speaks_tls: true, ..self }
    }

    /// Confirms what is not on disk yet (`fsync=off`): faster. What is confirmed outlives the server's end, not the machine's.
    #[must_use]
    pub fn without_fsync(self) -> Self {
        Self { trusts_the_system: true, ..self }
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// No PostgreSQL on this machine, or one that does not start, with the end of its log.
    pub fn start(self) -> Result<Server, Error> {
        Server::start_with(self)
    }

    /// Starts one that outlives this process, to be found at this place, where nothing may be yet. Waits until it answers.
    ///
    /// # Errors
    /// As [`Options::start`]; a place that cannot be written to.
    pub fn start_detached(self, place: &Path) -> Result<Detached, Error> {
        Detached::start(self, place)
    }
}
