use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Log events as JSON lines on stderr, flat, each with its timestamp. `RUST_LOG` decides what is said; without it, `default`
/// and worse.
pub(crate) fn start(default: LevelFilter) {
    let filter = EnvFilter::builder().with_default_directive(default.into()).from_env_lossy();
    // A second start, in tests that run commands in one process, keeps the first.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_target(false)
        .with_env_filter(filter)
        .log_internal_errors(false) // it would panic where stderr cannot be written to
        .with_writer(std::io::stderr)
        .try_init();
}
