use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::{Error, Status, aws, signals};

/// How often a log is asked for more.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// hello_world, order_generator, or another function.
    function: String,
    /// Goes on with what the function logs from now on, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// Where the emulator keeps the logs, as NAME.log.
    #[arg(long, value_name = "FOLDER", default_value = super::LOGS, conflicts_with = "aws")]
    logs: PathBuf,
    /// The function is on AWS: asks through the `aws` command, for the last ten minutes.
    #[arg(long)]
    aws: bool,
}

/// Prints what a function has logged.
///
/// # Errors
/// Where it has no log.
pub(crate) fn execute(args: &Args) -> Result<Status, Error> {
    if args.aws {
        let group = format!("/aws/lambda/{}", args.function);
        let follow = args.follow.then_some("--follow");
        let mut command = aws::command(["logs", "tail", &group, "--format", "short"].into_iter().chain(follow));
        return Err(aws::Error::NotStarted(command.exec()).into()); // it is `aws` from here on
    }
    let path = args.logs.join(format!("{}.log", args.function));
    let mut log = File::open(&path).map_err(|error| {
        Error::Failed(format!("{}: {error}: `orderflow lambda up --logs` says where the logs are", path.display()))
    })?;
    let stop = signals::stop_flag()?;
    let mut stdout = std::io::stdout().lock();
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Acquire) {
        let length = match log.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Failed(format!("{}: {error}", path.display()))),
        };
        match stdout.write_all(&buffer[..length]).and_then(|()| stdout.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Status::Holds), // read enough
            Err(error) => return Err(Error::Failed(format!("stdout: {error}"))),
        }
        match length {
            0 if args.follow => std::thread::sleep(LOOK_EVERY),
            0 => return Ok(Status::Holds),
            _ => {}
        }
    }
    Ok(Status::Holds)
}
