use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::Error;

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
    let mut filter = EnvFilter::builder().with_default_directive(default.into()).from_env_lossy();
    // What a database's server or an HTTP client has to say comes to us as an error, where it matters, in lines that have our fields.
    for directive in ["sqlx=off"].into_iter().filter_map(|directive| directive.parse().ok()) {
        filter = filter.add_directive(directive);
    }
    // A second start, in tests that run commands in one process, keeps the first.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_target(false)
        .with_env_filter(filter)
        .log_internal_errors(false) // it would panic where stderr cannot be written to
        .with_writer(writer)
        .try_init();
}
