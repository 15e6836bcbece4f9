use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant, SystemTime};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::keys::{Next, Place, Rows};
use super::screen;
use super::seen::Seen;
use super::watch::News;
use crate::{Error, Status};

/// How soon a signal and an answer are seen; and how often a screen is drawn on which nothing moves but the time.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const DRAW_EVERY: Duration = Duration::from_secs(1);

/// Takes the terminal over until somebody ends it, and gives it back: also where it fails or panics.
///
/// # Errors
/// Where the terminal cannot be drawn on, or says nothing.
pub(crate) fn show(seen: Seen, news: &Receiver<News>, stop: &AtomicBool) -> Result<Status, Error> {
    let terminal = ratatui::try_init(); // a panic gives it back, too
    let shown = terminal.and_then(|terminal| follow(terminal, seen, news, stop));
    ratatui::restore();
    shown.map_err(|error| Error::Failed(format!("terminal: {error}")))
}

fn follow(
    mut terminal: DefaultTerminal,
    mut seen: Seen,
    news: &Receiver<News>,
    stop: &AtomicBool,
) -> io::Result<Status> {
    let colours = screen::Colours::of_environment();
    let mut place = Place::default();
    let mut draw_at = Instant::now();
    while !stop.load(Ordering::Acquire) {
        match news.try_recv() {
            Ok(heard) => {
                seen.hear(heard);
                draw_at = Instant::now();
            }
            Err(TryRecvError::Empty) => {}
            // Where nobody asks any more, an old screen would pass for a new one.
            Err(TryRecvError::Disconnected) => return Err(io::Error::other("nobody asks the cluster any more")),
        }
        if Instant::now() >= draw_at {
            terminal.draw(|frame| screen::draw(frame, &seen, &place, colours, SystemTime::now()))?;
            draw_at = Instant::now() + DRAW_EVERY;
        }
        if !event::poll(LOOK_EVERY)? {
            continue;
        }
        draw_at = Instant::now(); // another size, too
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            match place.press(key, rows(&seen, &place, terminal.size()?.height)) {
                Next::GoOn => {}
                Next::Quit => return Ok(Status::Holds),
                Next::Interrupted => break,
            }
        }
    }
    Ok(Status::Interrupted)
}

fn rows(seen: &Seen, place: &Place, height: u16) -> Rows {
    let selected = seen.watched.groups.get(place.group);
    Rows {
        groups: seen.watched.groups.len(),
        partitions: selected.and_then(|group| seen.history.partitions(group.topic)).unwrap_or(0),
        topics: seen.watched.topics.len(),
        workers: seen.workers.iter().map(|worker| worker.groups().len()).sum(),
        functions: seen.workers.iter().map(|worker| worker.functions().len()).sum(),
        page: screen::rows(height),
    }
}
