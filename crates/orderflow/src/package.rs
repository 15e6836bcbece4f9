//! `orderflow package`: what is deployed, one zip a function, and the operator's program for the console host.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ::topology::{Host, Topology};
use lambda_emulator::Packing;
use ring::digest::{SHA256, digest};

use crate::{Error, Status, grouped, print, tell};

/// The function that proves that a function runs at all.
pub(crate) const HELLO_WORLD: &str = "hello_world";

/// The functions' program, and the operator's. One build makes both.
const FUNCTIONS: &str = "shop-functions";
pub(crate) const OPERATOR: &str = "orderflow";

/// Packs what is deployed: one zip a function, and orderflow itself beside them. The same bytes for the same programs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "One program serves all functions: the handler's name picks the service. `ci/package` builds the programs \
    statically, then packs them.\n\nExample: orderflow package --out zips"
)]
pub(crate) struct Args {
    /// Where the programs are, shop-functions and orderflow; without it where this one is.
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Where the zips and orderflow go.
    #[arg(long, value_name = "FOLDER", default_value = "target/lambdas")]
    out: PathBuf,
}

/// Writes them and prints name, size and hash of each; that of a zip is the one of `CodeSha256` in `aws lambda get-function`,
/// which has it in base64.
///
/// # Errors
/// Where a program cannot be read, or a file not be written.
pub(crate) fn execute(args: &Args, topology: &Topology) -> Result<Status, Error> {
    let program = program(args.programs.as_ref().map(|folder| folder.join(FUNCTIONS)).as_deref())?;
    let operator = program.with_file_name(OPERATOR);
    let zip = lambda_emulator::pack(&read(&program)?, Packing::Small).map_err(|error| failed(&program, &error))?;
    let operator = read(&operator)?;
    fs::create_dir_all(&args.out).map_err(|error| failed(&args.out, &error))?;
    let mut text = String::new();
    let mut put = |name: &str, bytes: &[u8], mode| {
        let path = args.out.join(name);
        replace(&path, bytes, mode).map_err(|error| failed(&path, &error))?;
        let hash = digest(&SHA256, bytes);
        let hash = hash.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let (path, size) = (path.display().to_string(), grouped(bytes.len() as u64));
        let _ = writeln!(text, "{path:<48} {size:>12} bytes  sha256 {hash}"); // a String takes all
        Ok::<(), Error>(())
    };
    for name in functions(topology) {
        put(&format!("{name}.zip"), &zip, 0o644)?;
    }
    put(OPERATOR, &operator, 0o755)?;
    print(&text)?;
    Ok(Status::Holds)
}

/// Reads a program, and warns of one that only this machine is sure to run.
fn read(program: &Path) -> Result<Vec<u8>, Error> {
    let name = program.display();
    let bytes = fs::read(program).map_err(|error| Error::Usage(format!("{name}: {error}")))?;
    if !is_static(&bytes) {
        tell(&format!(
            "warning: {name} needs this machine's libraries: elsewhere only the static one of `ci/package` is sure to run"
        ));
    }
    Ok(bytes)
}

/// The file takes its place once it is complete: who runs what was there goes on running it.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// `hello_world`, and the services that `topology.json` puts on Lambda.
pub(crate) fn functions(topology: &Topology) -> Vec<&str> {
    let on_lambda = topology.services().filter(|service| service.host == Host::Lambda);
    [HELLO_WORLD].into_iter().chain(on_lambda.map(|service| service.name.as_str())).collect()
}

/// The functions' program: the one that is named, or the one that was built with this one.
pub(crate) fn program(named: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let own = std::env::current_exe().map_err(Error::failed)?;
    let beside = own.with_file_name(FUNCTIONS);
    if beside.exists() {
        return Ok(beside);
    }
    let path = beside.display();
    Err(Error::Usage(format!(
        "{path} is not there: build it with `cargo build --release -p shop-functions`, or say where it is (--help)"
    )))
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::Failed(format!("{}: {error}", path.display()))
}

/// Whether a 64-bit ELF program asks for no interpreter (`PT_INTERP`), which would load libraries for it.
pub(crate) fn is_static(program: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, length: usize| {
        let bytes = program.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte)) as usize)
    };
    let headers = || {
        let (first, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        (0..count).map(|index| number(first + index * size, 4)).collect::<Option<Vec<usize>>>()
    };
    program.starts_with(b"\x7fELF\x02\x01") && headers().is_some_and(|kinds| !kinds.contains(&(PT_INTERP as usize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_static_where_it_was_built_so_and_what_is_no_program_is_not() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(is_static(&own), cfg!(target_feature = "crt-static"));
        assert!(!is_static(b"#!/bin/sh"));
        assert!(!is_static(b"\x7fELF\x02\x01"));
    }

    #[test]
    fn a_program_without_an_interpreter_is_static() {
        let mut program = vec![0; 64 + 56];
        program[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (program[32], program[54], program[56], program[64]) = (64, 56, 1, 1);
        assert!(is_static(&program));
        program[64] = 3;
        assert!(!is_static(&program));
    }

    #[test]
    fn every_function_has_a_zip_of_the_same_bytes_in_whatever_folder_and_the_operators_program_lies_beside_them() {
        let (topology, folder) = (Topology::built_in().unwrap(), tempfile::tempdir().unwrap());
        let operator = b"\x7fELF\x02\x01 and so on";
        fs::write(folder.path().join(FUNCTIONS), b"\x7fELF\x02\x01 and more").unwrap();
        fs::write(folder.path().join(OPERATOR), operator).unwrap();
        let files = |out: &str| {
            let out = folder.path().join(out);
            execute(&Args { programs: Some(folder.path().to_owned()), out: out.clone() }, &topology).unwrap();
            let file = |file: io::Result<fs::DirEntry>| {
                let file = file.unwrap();
                (
                    file.file_name(),
                    fs::read(file.path()).unwrap(),
                    file.metadata().unwrap().permissions().mode() & 0o777,
                )
            };
            let mut files: Vec<_> = fs::read_dir(out).unwrap().map(file).collect();
            files.sort();
            files
        };
        let first = files("one");
        assert_eq!(first.len(), 7);
        assert!(first.contains(&(OPERATOR.into(), operator.to_vec(), 0o755)));
        let zip = &first.iter().find(|(name, ..)| name == "hello_world.zip").unwrap().1;
        assert!(
            first.iter().filter(|(name, ..)| name != OPERATOR).all(|(_, bytes, mode)| bytes == zip && *mode == 0o644)
        );
        assert!(first == files("another"));
        assert!(first == files("one"), "a second time");
    }
}
