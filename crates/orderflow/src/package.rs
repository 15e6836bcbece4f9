//! `orderflow package`: one zip a function, as it is deployed.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use ::topology::{Host, Topology};
use lambda_emulator::Packing;
use ring::digest::{SHA256, digest};

use crate::{Error, Status, grouped, print, tell};

/// The function that proves that a function runs at all.
pub(crate) const HELLO_WORLD: &str = "hello_world";

/// Packs the functions: one zip each, the same bytes for the same program.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "One program serves all functions: the handler's name picks the service. `ci/functions` builds it statically.\n\n\
    Example: orderflow package --program target/functions/shop-functions"
)]
pub(crate) struct Args {
    /// The program, shop-functions; without it the one beside this program.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Where the zips go.
    #[arg(long, value_name = "FOLDER", default_value = "target/lambdas")]
    out: PathBuf,
}

/// Writes the zips and prints name, size and hash of each, as `aws lambda get-function` shows it in `CodeSha256`.
///
/// # Errors
/// Where the program cannot be read, or a zip not be written.
pub(crate) fn execute(args: &Args, topology: &Topology) -> Result<Status, Error> {
    let program = program(args.program.as_deref())?;
    let bytes = fs::read(&program).map_err(|error| Error::Usage(format!("{}: {error}", program.display())))?;
    if !is_static(&bytes) {
        let name = program.display();
        tell(&format!(
            "warning: {name} needs this machine's libraries: on AWS only `ci/functions`' static one is sure to run"
        ));
    }
    let zip = lambda_emulator::pack(&bytes, Packing::Small).map_err(|error| failed(&program, &error))?;
    fs::create_dir_all(&args.out).map_err(|error| failed(&args.out, &error))?;
    let hash = digest(&SHA256, &zip);
    let hash = hash.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let mut text = String::new();
    for name in functions(topology) {
        let path = args.out.join(format!("{name}.zip"));
        fs::write(&path, &zip).map_err(|error| failed(&path, &error))?;
        let (path, size) = (path.display().to_string(), grouped(zip.len() as u64));
        let _ = writeln!(text, "{path:<48} {size:>12} bytes  sha256 {hash}"); // a String takes all
    }
    print(&text)?;
    Ok(Status::Holds)
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
    let beside = own.with_file_name("shop-functions");
    if beside.exists() {
        return Ok(beside);
    }
    let path = beside.display();
    Err(Error::Usage(format!(
        "{path} is not there: build it with `cargo build --release -p shop-functions`, or name one with --program"
    )))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::Failed(format!("{}: {error}", path.display()))
}

/// Whether a 64-bit ELF program asks for no interpreter (`PT_INTERP`), which would load libraries for it.
fn is_static(program: &[u8]) -> bool {
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
    fn this_program_is_not_static_and_what_is_no_program_is_neither() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(!is_static(&own));
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
    fn every_function_has_a_zip_of_the_same_bytes_in_whatever_folder() {
        let (topology, folder) = (Topology::built_in().unwrap(), tempfile::tempdir().unwrap());
        let program = folder.path().join("program");
        fs::write(&program, b"\x7fELF\x02\x01 and so on").unwrap();
        let zips = |out: &str| {
            let out = folder.path().join(out);
            execute(&Args { program: Some(program.clone()), out: out.clone() }, &topology).unwrap();
            let read = |name| (name, fs::read(out.join(format!("{name}.zip"))).unwrap());
            functions(&topology).into_iter().map(read).collect::<Vec<_>>()
        };
        let first = zips("one");
        assert_eq!(first.len(), 6);
        assert!(first == zips("another"));
    }
}
