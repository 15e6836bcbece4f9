use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::Finding;
use crate::state_folder;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What `run` takes, and what `cluster up` takes with some orders in it, as docs/performance.md has measured them.
const RUN_BYTES: u64 = 256 * MIB;
const CLUSTER_BYTES: u64 = 3 * GIB / 2;

/// What a program of ours may have open at once with some room: a connection to each broker for each group, files, pipes.
const FEW_FILES: u64 = 1_024;
const TOO_FEW_FILES: u64 = 128;

pub(super) fn look() -> Vec<Finding> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mut findings = vec![of_processors(processors), memory(&meminfo, room_of_the_container())];
    findings.push(disk("temporary files", &env::temp_dir(), "TMPDIR"));
    match state_folder("cluster", "folder") {
        Ok(folder) => findings.push(disk("state", &folder, "XDG_STATE_HOME")),
        Err(_) => findings.push(Finding::warning(
            "state",
            "neither HOME nor XDG_STATE_HOME is set, and `cluster up` and `deploy` keep theirs there",
            "set one of them",
        )),
    }
    findings.push(files(getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft)));
    let built = env::current_exe().and_then(fs::metadata).and_then(|program| program.modified());
    findings.push(clock(SystemTime::now(), built.unwrap_or(SystemTime::UNIX_EPOCH)));
    findings
}

fn of_processors(count: usize) -> Finding {
    match count {
        1 => Finding::warning(
            "processors",
            "1",
            "a run is slower than docs/performance.md says; `cluster up` is slow to start",
        ),
        _ => Finding::ok("processors", count.to_string()),
    }
}

/// What is free of the memory, or of the part of it that this container may take.
fn memory(meminfo: &str, room: Option<u64>) -> Finding {
    let kib = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    let Some((available, total)) = kib("MemAvailable").zip(kib("MemTotal")) else {
        return Finding::warning("memory", "/proc/meminfo does not tell", "is /proc mounted?");
    };
    let available = (available * 1_024).min(room.unwrap_or(u64::MAX));
    let found = format!("{} available of {}", size(available), size(total * 1_024));
    if available < RUN_BYTES {
        Finding::wrong("memory", found, format!("end what is not needed: a run takes {}", size(RUN_BYTES)))
    } else if available < CLUSTER_BYTES {
        let to_do =
            format!("enough for runs; before `cluster up` end what is not needed: it takes {}", size(CLUSTER_BYTES));
        Finding::warning("memory", found, to_do)
    } else {
        Finding::ok("memory", found)
    }
}

/// What a limit on this container leaves it.
fn room_of_the_container() -> Option<u64> {
    let number = |name: &str| fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse::<u64>().ok();
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}

/// The disk of a folder that is there or will be made.
fn disk(what: &str, folder: &Path, variable: &str) -> Finding {
    let there: PathBuf = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/")).into();
    let is_writable = access(&there, AccessFlags::W_OK).is_ok();
    let free = statvfs(&there).map_or(0, |disk| disk.blocks_available() * disk.fragment_size());
    room(what, folder, variable, is_writable, free)
}

fn room(what: &str, folder: &Path, variable: &str, is_writable: bool, free: u64) -> Finding {
    let folder = folder.display();
    if !is_writable {
        return Finding::wrong(
            what,
            format!("{folder}: may not be written to"),
            format!("name another folder by {variable}"),
        );
    }
    let found = format!("{folder}: {} free", size(free));
    if free < RUN_BYTES {
        Finding::wrong(what, found, format!("make room, or name another folder by {variable}"))
    } else if free < 2 * GIB {
        let to_do = format!("`cluster up` and databases write there: make room, or name another folder by {variable}");
        Finding::warning(what, found, to_do)
    } else {
        Finding::ok(what, found)
    }
}

fn files(limit: u64) -> Finding {
    let found = if limit == u64::MAX { "no limit".to_owned() } else { format!("{limit} at once") };
    match limit {
        0..TOO_FEW_FILES => {
            Finding::wrong("open files", found, format!("`ulimit -n {FEW_FILES}`, in the shell that starts it"))
        }
        TOO_FEW_FILES..FEW_FILES => {
            let to_do = format!("`cluster up` and workers of many groups want more: `ulimit -n {FEW_FILES}`");
            Finding::warning("open files", found, to_do)
        }
        _ => Finding::ok("open files", found),
    }
}

/// A clock that is wrong by years breaks TLS and everything that looks by time. Before the program was built it cannot be right.
fn clock(now: SystemTime, built: SystemTime) -> Finding {
    let found = humantime::format_rfc3339_seconds(now).to_string();
    if now < built {
        let built = humantime::format_rfc3339_seconds(built);
        Finding::wrong(
            "clock",
            format!("{found}, before this program was built, {built}"),
            "set it: certificates do not hold yet",
        )
    } else {
        Finding::ok("clock", found)
    }
}

fn size(bytes: u64) -> String {
    if bytes < GIB { format!("{} MiB", bytes / MIB) } else { format!("{:.1} GiB", bytes as f64 / GIB as f64) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Level;
    use super::*;

    #[test]
    fn memory_is_what_is_free_of_the_machine_or_of_the_container() {
        let check = |available_kib: u64, room: Option<u64>, level: Level, found: &str| {
            let meminfo = format!("MemTotal:        8388608 kB\nMemFree: 1 kB\nMemAvailable:    {available_kib} kB\n");
            let finding = memory(&meminfo, room);
            assert_eq!((finding.level, finding.found.as_str()), (level, found));
        };
        check(4 << 20, None, Level::Ok, "4.0 GiB available of 8.0 GiB");
        check(1 << 20, None, Level::Warning, "1.0 GiB available of 8.0 GiB");
        check(4 << 20, Some(GIB), Level::Warning, "1.0 GiB available of 8.0 GiB");
        check(100 << 10, None, Level::Wrong, "100 MiB available of 8.0 GiB");
        assert_eq!(memory("", None).level, Level::Warning);
    }

    #[test]
    fn a_folder_is_told_with_its_room_and_the_variable_that_names_another() {
        let check = |is_writable, free, level, to_do: Option<&str>| {
            let finding = room("state", Path::new("/s"), "XDG_STATE_HOME", is_writable, free);
            assert_eq!((finding.level, finding.to_do.as_deref()), (level, to_do));
        };
        check(true, 5 * GIB, Level::Ok, None);
        check(true, 100 * MIB, Level::Wrong, Some("make room, or name another folder by XDG_STATE_HOME"));
        check(false, 5 * GIB, Level::Wrong, Some("name another folder by XDG_STATE_HOME"));
        assert_eq!(room("state", Path::new("/s"), "X", true, GIB).level, Level::Warning);
    }

    #[test]
    fn few_files_are_a_warning_and_hardly_any_are_wrong() {
        let level = |limit| files(limit).level;
        assert_eq!(
            [level(64), level(512), level(1_024), level(u64::MAX)],
            [Level::Wrong, Level::Warning, Level::Ok, Level::Ok]
        );
    }

    #[test]
    fn a_clock_before_the_programs_own_time_is_wrong() {
        let built = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert_eq!(clock(built + Duration::from_secs(1), built).level, Level::Ok);
        let early = clock(SystemTime::UNIX_EPOCH, built);
        assert_eq!(early.level, Level::Wrong);
        assert!(early.found.starts_with("1970-01-01T00:00:00Z, before this program was built"), "{}", early.found);
    }
}
