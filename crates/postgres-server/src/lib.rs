//! A private PostgreSQL on this machine, for tests and for commands that need one.
//!
//! [`Server::start`] makes one from the installed programs, in a folder of its own and on a free port of loopback, with a password;
//! [`Options`] adds TLS. It can be stopped, killed, frozen and started again, and leaves nothing behind, also where its process is
//! killed.

mod certificates; // a private CA, and the server's certificate
mod detached; // a server that outlives the command that started it
mod folder; // what a server keeps on disk, and who owns it
mod options; // which server
mod programs; // where PostgreSQL is installed
mod server; // a server that runs, and what can be done to it

pub use detached::Detached;
pub use options::Options;
pub use server::Server;

/// The folder of the installed programs, with which a server would be started.
///
/// # Errors
/// Where there are none.
pub fn programs() -> Result<std::path::PathBuf, Error> {
    programs::Programs::find().map(programs::Programs::into_folder)
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No PostgreSQL on this machine.
    #[error(
        "no PostgreSQL: initdb and postgres are neither in PATH nor in /usr/lib/postgresql/*/bin; on Debian `apt-get install postgresql` brings them"
    )]
    NotInstalled,
    /// The system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// A program ended where it should not.
    #[error("{program} ended by itself ({status}); its log ends with:\n{tail}")]
    Ended {
        /// Which one: `initdb` or `postgres`.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        tail: String,
    },
    /// The server did not get ready in time.
    #[error("PostgreSQL was not ready within {deadline_s} s; its log ends with:\n{tail}")]
    NotReady {
        /// How long was waited, in seconds.
        deadline_s: u64,
        /// The last lines of its log.
        tail: String,
    },
    /// The server did not end in time.
    #[error("PostgreSQL still runs {deadline_s} s after it was asked to end")]
    NotStopped {
        /// How long was waited, in seconds.
        deadline_s: u64,
    },
    /// Every try met a port that somebody else had taken in between.
    #[error("{tries} times in a row somebody else took a port that had been free: is something else starting servers?")]
    PortsTaken {
        /// How often it was tried.
        tries: u32,
    },
}

impl Error {
    fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        |source| Self::Io { doing, source }
    }
}
