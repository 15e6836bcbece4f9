use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{Error, tell};

/// Log events as JSON lines on stderr, flat, each with its timestamp. `RUST_LOG` decides what is said; without it, `default`
/// and worse.
pub(crate) fn start(default: LevelFilter) {
    write_to(std::io::stderr, default);
}

/// The same, behind what stands in a file.
///
/// # Errors
/// Where it cannot be written to.
pub(crate) fn start_in(path: &Path, default: LevelFilter) -> Result<(), Error> {
    let failed = |error| Error::Failed(format!("{}: {error}", path.display()));
    path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
    let file = File::options().append(true).create(true).open(path).map_err(failed)?;
    write_to(Mutex::new(file), default);
    Ok(())
}

fn write_to(writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static, default: LevelFilter) {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_target(false)
        .log_internal_errors(false) // it would panic where stderr cannot be written to
        .with_writer(writer);
    // A second start, in tests that run commands in one process, keeps the first.
    let _ = tracing_subscriber::registry().with(filter(default)).with(lines).try_init();
}

/// What `RUST_LOG` names, each a level or `TARGET=LEVEL`; up to `default` where it names nothing, or cannot be read.
fn filter(default: LevelFilter) -> Targets {
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    // An empty one would be the target of everything.
    let named: Vec<&str> = asked.split(',').filter(|name| !name.is_empty()).collect();
    let default = Targets::new().with_default(default);
    let filter = match named.join(",").parse::<Targets>() {
        _ if named.is_empty() => default,
        Ok(filter) => filter,
        Err(error) => {
            tell(&format!("RUST_LOG: {error}: allowed are LEVEL and TARGET=LEVEL, by commas; goes on without"));
            default
        }
    };
    // What a database's server has to say comes to us as an error, where it matters, in lines that have our fields.
    filter.with_target("sqlx", LevelFilter::OFF)
}
