//! Servers as their users meet them: started, killed, ended. They need PostgreSQL's programs.
#![cfg(test)]

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nursery::process;
use postgres_server::{Detached, Options, Server};
use tempfile::TempDir;

/// What a client asks first: whether the server speaks TLS. It answers `S` or `N`.
const ASKS_FOR_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Starts a server. Without PostgreSQL the test fails, and says what provides it.
#[track_caller]
fn start(options: Options) -> Server {
    options.start().unwrap_or_else(|error| panic!("{error}"))
}

fn address(server: &Server) -> String {
    let url = server.url();
    let behind_user = url.split_once('@').unwrap().1;
    behind_user.split_once('/').unwrap().0.to_owned()
}

/// The answer, if one comes.
fn ask_for_tls(address: &str) -> Option<u8> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream.write_all(&ASKS_FOR_TLS).ok()?;
    let mut answer = [0];
    stream.read_exact(&mut answer).ok().map(|()| answer[0])
}

fn folder_of(server: &Server) -> PathBuf {
    server.ca_file().unwrap().parent().unwrap().to_owned()
}

#[test]
fn a_server_answers_until_it_is_stopped_and_again_at_its_address() {
    let mut server = start(Options::default());
    let address = address(&server);
    assert_eq!(ask_for_tls(&address), Some(b'N'));
    server.stop().unwrap();
    assert_eq!(ask_for_tls(&address), None);
    server.stop().unwrap();
    server.restart().unwrap();
    assert_eq!(ask_for_tls(&address), Some(b'N'));
}

#[test]
fn a_killed_server_starts_again() {
    let mut server = start(Options::default().without_fsync());
    let address = address(&server);
    let _open = TcpStream::connect(&address).unwrap();
    server.kill().unwrap();
    assert_eq!(ask_for_tls(&address), None);
    server.restart().unwrap();
    assert_eq!(ask_for_tls(&address), Some(b'N'));
}

#[test]
fn a_frozen_server_goes_on_once_it_is_thawed() {
    let server = start(Options::default());
    let address = address(&server);
    server.freeze().unwrap();
    assert_eq!(ask_for_tls(&address), None);
    server.thaw().unwrap();
    assert_eq!(ask_for_tls(&address), Some(b'N'));
}

#[test]
fn the_url_says_what_a_client_needs() {
    let server = start(Options::default());
    let url = server.url();
    let (user, behind) = url.split_once('@').unwrap();
    let password = user.strip_prefix("postgres://postgres:").unwrap();
    assert_eq!(password.len(), 32);
    assert_eq!(behind, format!("{}/postgres", address(&server)));
    assert_eq!(server.url_of("orders"), format!("{user}@{}/orders", address(&server)));

    let server = start(Options::default().with_tls());
    assert_eq!(ask_for_tls(&address(&server)), Some(b'S'));
    let url = server.url();
    let (_, behind) = url.split_once('@').unwrap();
    let ca = server.ca_file().unwrap().display();
    assert_eq!(behind, format!("{}/postgres?sslmode=verify-full&sslrootcert={ca}", address(&server)));
}

/// A place for a server that outlives its command.
struct Place {
    _base: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let base = TempDir::new().unwrap();
        Self { path: base.path().join("postgres"), _base: base }
    }

    #[track_caller]
    fn find(&self) -> Detached {
        Detached::open(&self.path).unwrap().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Where a test has failed before its end.
        if let Ok(Some(server)) = Detached::open(&self.path) {
            let _ = server.end();
        }
    }
}

#[test]
fn a_lasting_server_is_found_by_its_place_until_it_is_ended() {
    let place = Place::new();
    assert!(Detached::open(&place.path).unwrap().is_none());
    let started = Options::default().without_fsync().start_detached(&place.path).unwrap();
    let folder = fs::read_link(&place.path).unwrap();
    let server = place.find();
    assert_eq!((server.url().unwrap(), server.pid()), (started.url().unwrap(), started.pid()));
    assert!(server.pid().is_some());
    server.end().unwrap();
    assert_eq!(process::inside(&folder), []);
    assert!(!folder.exists() && Detached::open(&place.path).unwrap().is_none());
}

#[test]
fn a_lasting_server_whose_files_are_gone_is_dead_and_can_be_ended() {
    // As the system empties the place for temporary files: all of it while the server runs, or the file that is never written to.
    let removals: [fn(&Path) -> io::Result<()>; 2] =
        [|folder| fs::remove_dir_all(folder), |folder| fs::remove_file(folder.join("url"))];
    for remove in removals {
        let place = Place::new();
        Options::default().without_fsync().start_detached(&place.path).unwrap();
        let folder = fs::read_link(&place.path).unwrap();
        let memory = memory_of(&folder);
        remove(&folder).unwrap();
        let server = place.find();
        assert_eq!(server.pid(), None);
        server.end().unwrap();
        assert_eq!(process::inside(&folder), []);
        assert!(!is_there(&memory));
        assert!(!folder.exists() && Detached::open(&place.path).unwrap().is_none());
    }
}

#[test]
fn a_place_that_leads_to_something_else_is_no_server_and_stays() {
    let place = Place::new();
    let folder = TempDir::new().unwrap();
    symlink(folder.path(), &place.path).unwrap();
    let error = Detached::open(&place.path).map(drop).unwrap_err();
    let (place, folder) = (place.path.display(), folder.path().display());
    assert_eq!(error.to_string(), format!("{place}: it leads to {folder}, which is no server of ours"));
}

/// What a server answers to a client that names its user: a letter and, where that is `R`, how the user proves who it is.
fn ask_to_come_in(address: &str, user: &str) -> (u8, u32) {
    let words = format!("user\0{user}\0database\0postgres\0\0");
    let length = u32::try_from(8 + words.len()).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let version = 3_u32 << 16;
    stream.write_all(&[&length.to_be_bytes()[..], &version.to_be_bytes(), words.as_bytes()].concat()).unwrap();
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).unwrap();
    (answer[0], u32::from_be_bytes([answer[5], answer[6], answer[7], answer[8]]))
}

#[test]
fn nobody_comes_in_without_a_password() {
    const SASL: u32 = 10;
    let server = start(Options::default());
    assert_eq!(ask_to_come_in(&address(&server), "postgres"), (b'R', SASL));
}

/// The number of a server's piece of System V shared memory.
fn memory_of(folder: &Path) -> String {
    let file = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    file.lines().nth(6).unwrap().split_whitespace().last().unwrap().to_owned()
}

fn is_there(memory: &str) -> bool {
    let pieces = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    pieces.lines().any(|line| line.split_whitespace().nth(1) == Some(memory))
}

#[test]
fn nothing_is_left_of_a_server() {
    let server = start(Options::default().with_tls());
    let (address, folder) = (address(&server), folder_of(&server));
    assert!(folder.join("data").is_dir());
    drop(server);
    assert_eq!(ask_for_tls(&address), None);
    assert!(!folder.exists());

    let mut server = start(Options::default().with_tls());
    let folder = folder_of(&server);
    let memory = memory_of(&folder);
    assert!(is_there(&memory));
    server.kill().unwrap();
    assert!(is_there(&memory));
    drop(server);
    assert!(!is_there(&memory));
    assert!(!folder.exists());
}

#[test]
fn a_frozen_server_ends_all_the_same() {
    let server = start(Options::default());
    server.freeze().unwrap();
    let before = Instant::now();
    drop(server);
    assert!(before.elapsed() < Duration::from_secs(10));
}
