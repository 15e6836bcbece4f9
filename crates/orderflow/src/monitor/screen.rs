use std::time::SystemTime;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, HighlightSpacing, Paragraph, Row, Table, TableState, Wrap};

use super::keys::{Place, View};
use super::sample::Group;
use super::seen::Seen;
use super::told::Breaker;
use super::trend::Trend;
use super::words::{self, UNKNOWN};
use super::workers::{Called, Doing, Worker};
use crate::{counted, grouped, shown};

/// What everything is laid out for.
const LEAST: [u16; 2] = [80, 24];

/// Lines that workers have at most; those behind them are counted.
const HEADS: usize = 6;

/// How many rows a table has on a screen of this height, whatever is above it.
pub(crate) fn rows(height: u16) -> usize {
    usize::from(height.saturating_sub(5)).max(1)
}

/// From so many columns on, groups have all of theirs.
const WIDE: u16 = 108;

const HELP: &str = "\
What is seen of each service and topic that it reads:

  in/s          records a second that came into the topic, over ten seconds
  lag           records that its consumer group is not done with
  trend         draining, with the time to zero if it goes on so; growing; or
                steady: zero, or as it was, give or take what comes in a second
  dead          dead letters that stand in its dead-letter topic
  mbr           members of its group: workers that share the partitions

  -             not known: the topic is not there, or nobody answers
  w, l          of --worker: records done a second, those that come again,
                dead ones, how long batches took, circuit breakers

Keys:
  up, down      select a row (k, j)      enter   the partitions of the group
  pgup, pgdn    a screen of rows         home, end  the first, the last row
  t topics      w workers      l functions of Lambda      g, esc groups
  ?             this                     q       ends it
No record is read: the cluster is asked for offsets and members alone.";

/// Whether colours may be used. None carries what is not said in words, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colours {
    On,
    Off,
}

impl Colours {
    /// As <https://no-color.org> has it.
    pub(crate) fn of_environment() -> Self {
        let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if is_off { Self::Off } else { Self::On }
    }

    fn paint(self, colour: Color) -> Style {
        match self {
            Self::On => Style::new().fg(colour),
            Self::Off => Style::new(),
        }
    }
}

/// Draws all of it anew.
pub(crate) fn draw(frame: &mut Frame<'_>, seen: &Seen, place: &Place, colours: Colours, now: SystemTime) {
    let area = frame.area();
    let [width, height] = LEAST;
    if area.width < width || area.height < height {
        let text = format!("{}x{} is too small: the monitor needs {width}x{height}.", area.width, area.height);
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let rows = [Constraint::Length(3), Constraint::Fill(1), Constraint::Length(1)];
    let [head, body, foot] = Layout::vertical(rows).areas(area);
    frame.render_widget(Paragraph::new(header(seen, colours, now)), head);
    match place.view {
        _ if place.is_help => frame.render_widget(Paragraph::new(HELP), body),
        View::Workers => workers(frame, body, seen, place.worker, colours),
        View::Functions => functions(frame, body, seen, place.function, colours),
        View::Groups => groups(frame, body, seen, place.group, colours),
        View::Partitions => partitions(frame, body, seen, place),
        View::Topics => topics(frame, body, seen, place.topic),
    }
    frame.render_widget(Paragraph::new(keys(place)).style(Style::new().add_modifier(Modifier::DIM)), foot);
}

/// Where the cluster is, and how.
fn header(seen: &Seen, colours: Colours, now: SystemTime) -> Vec<Line<'static>> {
    let brokers = seen.history.newest().map_or(0, |sample| sample.brokers) as u64;
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let address = shown(&seen.address);
    let who = Line::styled(format!("orderflow monitor  {} at {address}", counted(brokers, "broker")), bold);
    let every = humantime::format_duration(seen.interval);
    let alarm = bold.patch(colours.paint(Color::Red));
    let mut lines = vec![who];
    lines.extend(match (&seen.away, seen.silent_for(now)) {
        (Some(away), _) => vec![
            Line::styled(
                format!("AWAY since {}, asked again every {every}; below: its last answer", words::time(away.since)),
                alarm,
            ),
            Line::raw(shown(&away.reason)),
        ],
        (None, Some(silence)) => vec![Line::styled(format!("no answer for {}", words::span(silence)), alarm)],
        (None, None) => vec![Line::raw(format!("answers, asked every {every} since {}", words::time(seen.since)))],
    });
    lines
}

fn keys(place: &Place) -> &'static str {
    match place.view {
        _ if place.is_help => "any key goes back   q quit",
        View::Groups => "up/down  enter partitions  t topics  w workers  l functions  ? help  q quit",
        View::Partitions => "up/down  esc groups  t topics  w workers  l functions  ? help  q quit",
        View::Topics => "up/down  esc groups  w workers  l functions  ? help  q quit",
        View::Workers => "up/down  esc groups  t topics  l functions  ? help  q quit",
        View::Functions => "up/down  esc groups  t topics  w workers  ? help  q quit",
    }
}

fn groups(frame: &mut Frame<'_>, area: Rect, seen: &Seen, selected: usize, colours: Colours) {
    let is_wide = area.width >= WIDE;
    let row = |group: &Group| {
        let standing = seen.history.standing(group);
        let alarm = |is_alarming: bool, colour| if is_alarming { colours.paint(colour) } else { Style::new() };
        let grows = alarm(standing.trend == Some(Trend::Growing), Color::Yellow);
        let has_dead = alarm(standing.dead_letters.is_some_and(|count| count > 0), Color::Red);
        let [trend, zero_in] = [words::trend(standing.trend), words::zero_in(standing.trend)];
        let first = [Cell::new(shown(&group.service)), Cell::new(shown(group.topic.as_str()))];
        let rest = if is_wide {
            vec![
                number(words::rate(standing.in_per_s)),
                number(words::perhaps(standing.lag, 11)).style(grows),
                Cell::new(trend).style(grows),
                number(zero_in),
                number(words::perhaps(standing.dead_letters, 12)).style(has_dead),
                number(words::rate(standing.dead_letters_per_s)).style(has_dead),
                number(words::perhaps(standing.members, 7)),
            ]
        } else {
            vec![
                number(words::rate(standing.in_per_s)),
                number(words::perhaps(standing.lag, 7)).style(grows),
                Cell::new(format!("{trend} {zero_in}")).style(grows),
                number(words::perhaps(standing.dead_letters, 5)).style(has_dead),
                number(words::perhaps(standing.members, 3)),
            ]
        };
        Row::new(first.into_iter().chain(rest))
    };
    use Constraint::{Fill, Length};
    let (head, widths): (&[&str], Vec<Constraint>) = if is_wide {
        (
            &["service", "topic", "in/s", "lag", "trend", "to zero", "dead letters", "dead/s", "members"],
            vec![Length(20), Fill(1), Length(7), Length(11), Length(8), Length(7), Length(12), Length(7), Length(7)],
        )
    } else {
        (
            &["service", "topic", "in/s", "lag", "trend", "dead", "mbr"],
            vec![Length(20), Fill(1), Length(7), Length(7), Length(12), Length(5), Length(3)],
        )
    };
    let rows = seen.watched.groups.iter().map(row).collect();
    table(frame, area, head, widths, rows, selected);
}

fn partitions(frame: &mut Frame<'_>, area: Rect, seen: &Seen, place: &Place) {
    let Some(group) = seen.watched.groups.get(place.group) else { return };
    let standing = seen.history.standing(group);
    let [title, area] = Layout::vertical([Constraint::Length(3), Constraint::Fill(1)]).areas(area);
    let members = standing.members.map_or_else(String::new, |members| format!(", {}", counted(members, "member")));
    let [service, topic, name] = [&group.service, group.topic.as_str(), &group.name].map(shown);
    let who = format!("{service} reads {topic} as group {name}{members}");
    frame.render_widget(Paragraph::new(who).wrap(Wrap { trim: true }), title);
    let offset = |offset: Option<i64>| {
        number(offset.map_or_else(|| UNKNOWN.to_owned(), |offset| grouped(offset.unsigned_abs())))
    };
    let rates = seen.history.rate_of_each(group.topic);
    let row = |(index, part): (usize, &super::trend::Part)| {
        Row::new([
            Cell::new(index.to_string()),
            number(words::rate(rates.get(index).copied())),
            offset(part.log.as_ref().map(|log| log.start)),
            offset(part.log.as_ref().map(|log| log.end)),
            offset(part.committed),
            number(if part.log.is_none() { "no leader".to_owned() } else { words::perhaps(part.lag, 13) }),
        ])
    };
    let widths = [9, 7, 13, 13, 13, 13].map(Constraint::Length).into();
    let rows = standing.partitions.iter().enumerate().map(row).collect();
    table(frame, area, &["partition", "in/s", "first", "end", "committed", "lag"], widths, rows, place.partition);
}

fn topics(frame: &mut Frame<'_>, area: Rect, seen: &Seen, selected: usize) {
    let course = if area.width >= WIDE { 40 } else { 12 };
    let row = |&topic: &events::Topic| {
        let partitions = seen.history.partitions(topic).map(|partitions| partitions as u64);
        Row::new([
            Cell::new(shown(topic.as_str())),
            number(words::perhaps(partitions, 5)),
            number(words::perhaps(seen.history.records(topic), 11)),
            number(words::rate(seen.history.rate(topic))),
            Cell::new(words::course(&seen.history.rates(topic), course)),
        ])
    };
    use Constraint::{Fill, Length};
    let widths = vec![Fill(1), Length(5), Length(11), Length(7), Length(course as u16)];
    let rows = seen.watched.topics.iter().map(row).collect();
    table(frame, area, &["topic", "parts", "records", "in/s", "of late"], widths, rows, selected);
}

/// What services do in their workers, above it how each of those is.
fn workers(frame: &mut Frame<'_>, area: Rect, seen: &Seen, selected: usize, colours: Colours) {
    let all = numbered(seen, Worker::groups);
    let of_late = all.get(selected).map(|(_, doing)| {
        let course = words::course(&doing.p99s_s, 40);
        format!("p99 of {} on {} of late: {course}", shown(doing.service), shown(doing.topic))
    });
    let area = heads(frame, area, seen, of_late, colours);
    let row = |(worker, doing): &(usize, Doing<'_>)| {
        let alarm = |is_alarming: bool, colour| if is_alarming { colours.paint(colour) } else { Style::new() };
        let comes_again = alarm(doing.again_per_s().is_some_and(|per_s| per_s > 0.0), Color::Yellow);
        let given_up = alarm(doing.counts.given_up > 0.0, Color::Red);
        let is_open = alarm(doing.counts.breaker.is_some_and(|state| state != Breaker::Closed), Color::Red);
        Row::new([
            number(worker.to_string()),
            Cell::new(shown(doing.service)),
            Cell::new(shown(doing.topic)),
            number(words::rate(doing.handled_per_s)),
            number(words::rate(doing.again_per_s())).style(comes_again),
            number(words::number(doing.counts.given_up as u64, 5)).style(given_up),
            number(words::latency(doing.p50_s)),
            number(words::latency(doing.p99_s)),
            Cell::new(words::breaker(doing.counts.breaker)).style(is_open),
        ])
    };
    use Constraint::{Fill, Length};
    let head = ["#", "service", "topic", "done/s", "again", "dead", "p50", "p99", "brkr"];
    let widths = vec![Length(2), Length(20), Fill(1), Length(7), Length(5), Length(5), Length(5), Length(5), Length(6)];
    table(frame, area, &head, widths, all.iter().map(row).collect(), selected);
}

/// What functions do in an emulator of Lambda.
fn functions(frame: &mut Frame<'_>, area: Rect, seen: &Seen, selected: usize, colours: Colours) {
    let all = numbered(seen, Worker::functions);
    let area = heads(frame, area, seen, None, colours);
    let row = |(worker, called): &(usize, Called<'_>)| {
        let fails = called.errors_per_s.is_some_and(|per_s| per_s > 0.0);
        Row::new([
            number(worker.to_string()),
            Cell::new(shown(called.function)),
            number(words::rate(called.invocations_per_s)),
            number(words::rate(called.errors_per_s)).style(if fails {
                colours.paint(Color::Red)
            } else {
                Style::new()
            }),
            number(words::rate(called.retries_per_s)),
            number(words::perhaps(called.calls.lag, 9)),
            number(words::latency(called.calls.p50_s)),
            number(words::latency(called.calls.p99_s)),
        ])
    };
    use Constraint::{Fill, Length};
    let head = ["#", "function", "calls/s", "errors/s", "again/s", "lag", "p50", "p99"];
    let widths = vec![Length(2), Fill(1), Length(7), Length(8), Length(7), Length(9), Length(5), Length(5)];
    table(frame, area, &head, widths, all.iter().map(row).collect(), selected);
}

/// What each worker has, with its number.
fn numbered<'s, T>(seen: &'s Seen, of: impl Fn(&'s Worker) -> Vec<T>) -> Vec<(usize, T)> {
    let of_each = (1..).zip(seen.workers.iter().map(of));
    of_each.flat_map(|(number, all)| all.into_iter().map(move |one| (number, one))).collect()
}

/// A line for each worker, numbered as in the table, and one for what is selected there; gives what is left of the area.
fn heads(frame: &mut Frame<'_>, area: Rect, seen: &Seen, selected: Option<String>, colours: Colours) -> Rect {
    let alarm = colours.paint(Color::Red).add_modifier(Modifier::BOLD);
    let line = |(number, worker): (usize, &Worker)| {
        let style = if worker.silence.is_some() { alarm } else { Style::new() };
        Line::styled(format!("{number:>2} {}: {}", shown(&worker.address), words::worker(worker)), style)
    };
    let mut lines: Vec<Line<'_>> = (1..).zip(&seen.workers).map(line).collect();
    if lines.is_empty() {
        let how =
            "Nobody is asked: --worker HOST:PORT names a worker (`work --listen`), or the functions of `lambda up`.";
        lines.push(Line::raw(how));
    }
    if lines.len() > HEADS {
        let more = lines.len() + 1 - HEADS;
        lines.truncate(HEADS - 1);
        lines.push(Line::raw(format!("   and {more} more")));
    }
    lines.extend(selected.map(Line::raw));
    lines.push(Line::raw(""));
    let [head, rest] = Layout::vertical([Constraint::Length(lines.len() as u16), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(lines), head);
    rest
}

/// A number stands flush right.
fn number(text: String) -> Cell<'static> {
    Cell::new(Line::raw(text).right_aligned())
}

/// Rows below a head, of which one is selected and always seen.
fn table(
    frame: &mut Frame<'_>,
    area: Rect,
    head: &[&'static str],
    widths: Vec<Constraint>,
    rows: Vec<Row<'_>>,
    selected: usize,
) {
    let words = ["service", "topic", "trend", "partition", "of late", "function", "brkr"];
    let cell = |&word: &&'static str| if words.contains(&word) { Cell::new(word) } else { number(word.to_owned()) };
    let head = Row::new(head.iter().map(cell)).style(Style::new().add_modifier(Modifier::UNDERLINED));
    let table = Table::new(rows, widths)
        .header(head)
        .highlight_symbol(">")
        .highlight_spacing(HighlightSpacing::Always)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(selected));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::sample::{Sample, Watched};
    use super::super::told::{Calls, Counts, Told};
    use super::super::watch::News;
    use super::*;
    use crate::System;
    use ::topology::Topology;

    fn noon() -> SystemTime {
        humantime::parse_rfc3339("2026-11-29T12:00:00Z").unwrap()
    }

    /// At a second: orders in three partitions, of which the payments are done with some, and the rest of the shop with nothing.
    fn sample(second: u64, orders: i64, paid: i64) -> Sample {
        let dead_letter = "payment_processor.order_placed.dead_letter".to_owned();
        Sample {
            at: Duration::from_secs(second),
            brokers: 3,
            logs: [("order_placed".to_owned(), vec![Some(0..orders); 3]), (dead_letter, vec![Some(0..7)])].into(),
            committed: [
                ("payment_processor.order_placed".to_owned(), vec![Some(paid); 3]),
                ("inventory_manager.order_placed".to_owned(), vec![None; 3]),
            ]
            .into(),
            members: Some([("payment_processor.order_placed".to_owned(), 2)].into()),
            refusal: None,
        }
    }

    fn seen() -> Seen {
        let watched = Watched::of(&Topology::built_in().unwrap(), Some(System::Shop));
        let mut seen = Seen::new("localhost:9092", watched, Duration::from_secs(2), sample(0, 10_000, 0), &[]);
        seen.hear(News::Answered(Box::new(sample(10, 20_000, 15_000))));
        (seen.since, seen.answered_at) = (noon(), noon());
        seen
    }

    /// The lines of a screen, without what is blank at their ends.
    fn lines(size: (u16, u16), seen: &Seen, place: &Place, colours: Colours) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        terminal.draw(|frame| draw(frame, seen, place, colours, noon())).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let line = |row: &[ratatui::buffer::Cell]| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
        buffer.content.chunks(usize::from(size.0).max(1)).map(|row| line(row).trim_end().to_owned()).collect()
    }

    #[test]
    fn eighty_columns_show_each_group_with_its_lag_and_where_it_goes() {
        let lines = lines((80, 24), &seen(), &Place { group: 2, ..Place::default() }, Colours::On);
        let expected = [
            "orderflow monitor  3 brokers at localhost:9092",
            "answers, asked every 2s since 12:00:00 UTC",
            "",
            " service              topic                  in/s     lag trend         dead mbr",
            " inventory_manager    order_placed          3,000  60,000 growing          -   0",
            " notification_handler inventory_result          -       - -                -   0",
            " notification_handler order_shipped             -       - -                -   0",
            " notification_handler notifications             -       - -                -   0",
            " payment_processor    order_placed          3,000  15,000 draining 10s     7   2",
            " shipping_handler     payment_result            -       - -                -   0",
        ];
        let (mut expected, mark) = (expected.map(str::to_owned), 6);
        expected[mark].replace_range(..1, ">");
        assert_eq!(lines[..expected.len()], expected);
        assert_eq!(lines[23], "up/down  enter partitions  t topics  w workers  l functions  ? help  q quit");
    }

    #[test]
    fn a_wide_screen_has_a_column_for_each() {
        let lines = lines((120, 40), &seen(), &Place::default(), Colours::On);
        assert_eq!(
            lines[3].split_whitespace().collect::<Vec<_>>().join(" "),
            "service topic in/s lag trend to zero dead letters dead/s members"
        );
        assert_eq!(
            lines[8].split_whitespace().collect::<Vec<_>>(),
            ["payment_processor", "order_placed", "3,000", "15,000", "draining", "10s", "7", "0", "2"]
        );
    }

    #[test]
    fn a_terminal_that_is_too_small_is_told_so_in_a_sentence() {
        let told = |size| lines(size, &seen(), &Place::default(), Colours::On).join(" ");
        assert_eq!(told((20, 5)).trim_end(), "20x5 is too small: the monitor needs 80x24.");
        assert!(told((79, 24)).starts_with("79x24 is too small"));
        for size in [(1, 1), (0, 0), (3, 2)] {
            told(size);
        }
    }

    #[test]
    fn the_partitions_of_a_group_are_shown_with_their_offsets() {
        let place = Place { view: View::Partitions, group: 4, ..Place::default() };
        let mut seen = seen();
        let mut sample = sample(12, 20_000, 15_000);
        sample.logs.insert("order_placed".into(), vec![Some(50..20_000), None]);
        seen.hear(News::Answered(Box::new(sample)));
        let lines = lines((80, 24), &seen, &place, Colours::On);
        assert_eq!(lines[3], "payment_processor reads order_placed as group payment_processor.order_placed, 2");
        assert_eq!(lines[4], "members");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&lines[6]), "partition in/s first end committed lag");
        assert_eq!(words(&lines[7]), ">0 0 50 20,000 15,000 5,000");
        assert_eq!(words(&lines[8]), "1 0 - - 15,000 no leader");
    }

    #[test]
    fn topics_are_shown_with_the_course_of_their_rates_and_the_selected_one_is_always_seen() {
        let lines =
            |topic| lines((80, 24), &seen(), &Place { view: View::Topics, topic, ..Place::default() }, Colours::On);
        let top = lines(0);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&top[3]), "topic parts records in/s of late");
        assert_eq!(words(&top[6]), "order_placed 3 60,000 3,000 █");
        assert_eq!(words(&top[4]), ">inventory_result - - - ▁");
    }

    #[test]
    fn workers_are_numbered_with_what_they_do_and_what_somebody_should_look_at() {
        let mut seen = seen();
        seen.workers = ["a:1", "b:2"].map(Worker::at).into();
        let told = |handled| {
            let batches = vec![(0.001, handled / 20.0), (0.002, handled / 10.0), (f64::INFINITY, handled / 10.0)];
            let counts = Counts { handled, batches, given_up: 3.0, breaker: Some(Breaker::Open), ..Counts::default() };
            let groups = [(("payment_processor".to_owned(), "order_placed".to_owned()), counts)].into();
            Told { groups, stuck: Some(1), ..Told::default() }
        };
        let [first, second] = [told(0.0), told(10_000.0)];
        seen.hear(News::Workers(Duration::from_secs(0), vec![Ok(first), Err("refused".into())]));
        seen.hear(News::Workers(Duration::from_secs(10), vec![Ok(second), Err("refused".into())]));
        let place = Place { view: View::Workers, ..Place::default() };
        let lines = lines((80, 24), &seen, &place, Colours::On);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(lines[3], " 1 a:1: 1 group, sagas stuck 1");
        assert_eq!(lines[4], " 2 b:2: NO ANSWER: refused");
        assert_eq!(lines[5], "p99 of payment_processor on order_placed of late: █");
        assert_eq!(words(&lines[7]), "# service topic done/s again dead p50 p99 brkr");
        assert_eq!(words(&lines[8]), "> 1 payment_processor order_placed 1,000 0 3 1.0ms 2.0ms open");
    }

    #[test]
    fn functions_are_shown_too_and_how_they_come_to_be_seen_where_there_are_none() {
        let mut seen = seen();
        let place = Place { view: View::Functions, ..Place::default() };
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(lines((80, 24), &seen, &place, Colours::On)[3].starts_with("Nobody is asked: --worker HOST:PORT"));
        seen.workers = [Worker::at("a:1")].into();
        let told = |invocations| {
            let calls = Calls { invocations, p50_s: Some(0.02), lag: Some(12_345), ..Calls::default() };
            Told { functions: [("payment_processor".to_owned(), calls)].into(), ..Told::default() }
        };
        for (second, invocations) in [(0, 0.0), (10, 50.0)] {
            seen.hear(News::Workers(Duration::from_secs(second), vec![Ok(told(invocations))]));
        }
        let lines = lines((80, 24), &seen, &place, Colours::On);
        assert_eq!(lines[3], " 1 a:1: 1 function");
        assert_eq!(words(&lines[5]), "# function calls/s errors/s again/s lag p50 p99");
        assert_eq!(words(&lines[6]), "> 1 payment_processor 5.0 0 0 12,345 20ms -");
    }

    #[test]
    fn more_workers_than_there_are_lines_for_are_counted() {
        let mut seen = seen();
        seen.workers = (1..=9).map(|port| Worker::at(&format!("a:{port}"))).collect();
        let lines = lines((80, 24), &seen, &Place { view: View::Workers, ..Place::default() }, Colours::On);
        assert_eq!((lines[7].as_str(), lines[8].as_str()), (" 5 a:5: not asked yet", "   and 4 more"));
    }

    #[test]
    fn a_cluster_that_is_away_is_told_since_when_and_why_and_what_it_said_stays() {
        let mut seen = seen();
        seen.hear(News::Away(noon() + Duration::from_secs(63), "a:1: no answer\u{1b}[2J within 9 s".into()));
        let lines = lines((80, 24), &seen, &Place::default(), Colours::Off);
        assert_eq!(lines[1], "AWAY since 12:01:03 UTC, asked again every 2s; below: its last answer");
        assert_eq!(lines[2], "a:1: no answer\\u{1b}[2J within 9 s");
        assert!(lines[8].contains("15,000 draining 10s"), "{}", lines[8]);
    }

    #[test]
    fn a_silence_is_told() {
        let mut seen = seen();
        seen.answered_at = noon() - Duration::from_secs(7);
        assert_eq!(lines((80, 24), &seen, &Place::default(), Colours::On)[1], "no answer for 7s");
    }

    #[test]
    fn without_colours_the_words_are_the_same_and_no_cell_has_one() {
        let of = |colours| {
            let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
            terminal.draw(|frame| draw(frame, &seen(), &Place::default(), colours, noon())).unwrap();
            terminal.backend().buffer().clone()
        };
        let is_plain = |buffer: &ratatui::buffer::Buffer| buffer.content.iter().all(|cell| cell.fg == Color::Reset);
        assert!(is_plain(&of(Colours::Off)) && !is_plain(&of(Colours::On)));
        let words = |colours| lines((80, 24), &seen(), &Place::default(), colours);
        assert_eq!(words(Colours::Off), words(Colours::On));
    }

    #[test]
    fn the_help_fits_and_names_each_column_and_key() {
        let place = Place { is_help: true, ..Place::default() };
        let text = lines((80, 24), &seen(), &place, Colours::On).join("\n");
        for line in HELP.lines() {
            assert!(text.contains(line), "{line}");
        }
    }
}
