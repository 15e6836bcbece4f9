use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;

use super::Finding;
use crate::lambda;

/// Ports that commands or what stands beside them take unless somebody says otherwise: for what, and how one says so.
const PORTS: [(&str, &str, &str); 4] = [
    (lambda::ADDRESS, "lambda up", "name another by --listen, and by --endpoint where it is asked"),
    ("127.0.0.1:9400", "work --listen in the examples", "name another by --listen, or port 0 for any that is free"),
    (
        "127.0.0.1:9092",
        "the Kafka of compose.yaml",
        "if that is not the one you want, end it before `docker compose up`",
    ),
    (
        "127.0.0.1:5432",
        "the PostgreSQL of compose.yaml",
        "if that is not the one you want, end it before `docker compose up`",
    ),
];

/// Where `cluster up` and private databases look for free ones.
const LOOKED_AMONG: RangeInclusive<u16> = 20_000..=31_999;

pub(super) fn look() -> Vec<Finding> {
    let mut taken = BTreeMap::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        taken.extend(listening(&fs::read_to_string(table).unwrap_or_default()));
    }
    let of_default = PORTS.iter().filter_map(|(address, whose, to_do)| {
        let port: u16 = address.rsplit_once(':')?.1.parse().ok()?;
        let owner = taken.get(&port).map(|inode| owner(*inode));
        Some(of_port(port, whose, owner, to_do))
    });
    let outgoing = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    of_default.chain([looked_among(taken.keys().copied(), &outgoing)]).collect()
}

fn of_port(port: u16, whose: &str, owner: Option<Option<String>>, to_do: &str) -> Finding {
    let what = format!("port {port}");
    match owner {
        None => Finding::ok(what, format!("free, for {whose}")),
        Some(owner) => {
            let owner = owner.unwrap_or_else(|| "somebody else's process".to_owned());
            Finding::warning(what, format!("taken by {owner}, and is that of {whose}"), to_do)
        }
    }
}

/// Whether there is room where free ports are looked for, and nobody's calls leave from there.
fn looked_among(taken: impl Iterator<Item = u16>, outgoing: &str) -> Finding {
    let (first, last) = (*LOOKED_AMONG.start(), *LOOKED_AMONG.end());
    let what = format!("ports {first} to {last}");
    let count = taken.filter(|port| LOOKED_AMONG.contains(port)).count();
    let begin: Option<u16> = outgoing.split_whitespace().next().and_then(|begin| begin.parse().ok());
    match begin {
        Some(begin) if begin <= last => Finding::warning(
            what,
            format!("calls to others leave from port {begin} on, also from these"),
            "`sysctl net.ipv4.ip_local_port_range=\"32768 60999\"`: else a call may take the port of a broker that is down",
        ),
        _ => Finding::ok(what, format!("{count} taken, the rest free for `cluster up`")),
    }
}

/// The ports on which somebody listens, by a table of the kernel, each with its socket.
fn listening(table: &str) -> impl Iterator<Item = (u16, u64)> {
    const LISTENS: &str = "0A";
    table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, port) = fields.get(1)?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let inode = fields.get(9)?.parse().ok()?;
        (*fields.get(3)? == LISTENS).then_some((port, inode))
    })
}

/// The process that has a socket, by name and number; `None` where we may not see it.
fn owner(inode: u64) -> Option<String> {
    let socket = format!("socket:[{inode}]");
    let has_it = |process: &fs::DirEntry| {
        let mut files = process.path().join("fd").read_dir().into_iter().flatten().filter_map(Result::ok);
        files.any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == socket.as_str()))
    };
    // Beside the processes by their numbers, `self` is one of them once more.
    let is_process = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().parse::<u32>().is_ok();
    let mut processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok).filter(is_process);
    let process = processes.find(has_it)?;
    let name = fs::read_to_string(process.path().join("comm")).ok()?;
    Some(format!("{}, process {}", name.trim(), process.file_name().display()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::Level;
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        \x20  0: 0100007F:2329 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 496 1 0000000052ff819e 100 0 0 10 0\n\
        \x20  1: 0100007F:C5B8 0100007F:967F 01 00000000:00000000 03:000001E6 00000000     0        0 77 3 000000002bfedf40\n\
        \x20  2: 00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12 1\n";

    #[test]
    fn who_listens_is_read_from_the_kernels_table() {
        assert_eq!(listening(TABLE).collect::<Vec<_>>(), [(9_001, 496), (5_432, 12)]);
        assert_eq!(listening("").count(), 0);
    }

    #[test]
    fn a_port_is_free_or_taken_by_somebody() {
        assert_eq!(of_port(9_001, "lambda up", None, "x"), Finding::ok("port 9001", "free, for lambda up"));
        let taken = of_port(9_001, "lambda up", Some(Some("java, process 7".into())), "x");
        assert_eq!(taken, Finding::warning("port 9001", "taken by java, process 7, and is that of lambda up", "x"));
        assert!(of_port(1, "", Some(None), "x").found.starts_with("taken by somebody else's process"));
    }

    #[test]
    fn ports_from_which_calls_leave_are_no_good_for_brokers() {
        let check = |outgoing| looked_among([20_000, 40_000].into_iter(), outgoing);
        assert_eq!(check("32768\t60999\n").found, "1 taken, the rest free for `cluster up`");
        assert_eq!(check("1024\t65535\n").level, Level::Warning);
        assert_eq!(check("").level, Level::Ok);
    }

    #[test]
    fn this_process_is_found_by_the_port_on_which_it_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let (_, inode) = listening(&table).find(|(known, _)| *known == port).unwrap();
        let owner = owner(inode).unwrap();
        assert!(owner.ends_with(&format!(", process {}", std::process::id())), "{owner}");
    }
}
