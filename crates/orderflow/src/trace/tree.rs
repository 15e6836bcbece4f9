use std::fmt::Write as _;

use serde_json::{Value, json};

use super::search::End;
use super::step::Kind;
use super::way::Way;
use crate::{counted, shown, written_at};

/// The way as a tree: when, how long after its cause, what, where, and what is remarkable about it.
pub(crate) fn text(order_id: &str, way: &Way, end: End) -> String {
    let order = way.in_order();
    let runs = way.steps().iter().filter_map(|step| step.run.as_deref());
    let run = runs.min().map_or_else(String::new, |run| format!(", run {}", shown(run)));
    let mut text = format!("order {}{run}\n\n", shown(order_id));
    let width = order
        .iter()
        .map(|&(index, depth)| 3 * depth + shown(way.steps()[index].name()).chars().count())
        .max()
        .unwrap_or(0);
    for &(index, depth) in &order {
        let step = &way.steps()[index];
        let branch = if depth == 0 { String::new() } else { format!("{}└─ ", "   ".repeat(depth - 1)) };
        let what = format!("{branch}{}", shown(step.name()));
        let note = note(way, index);
        let line = format!(
            "{}  {:>9}  {what:<width$}  {}-{}@{}{note}",
            written_at(step.at_ms),
            after(way, index),
            step.topic,
            step.partition,
            step.offset,
        );
        // Writing to memory does not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "\n{}", verdict(way, end));
    text
}

/// One of them in a line.
pub(crate) fn line(way: &Way, index: usize) -> String {
    let step = &way.steps()[index];
    format!(
        "{}  {:>9}  {}  {}-{}@{}{}\n",
        written_at(step.at_ms),
        after(way, index),
        shown(step.name()),
        step.topic,
        step.partition,
        step.offset,
        note(way, index)
    )
}

/// The same for a program.
pub(crate) fn document(order_id: &str, way: &Way, end: End) -> Value {
    let records: Vec<Value> = way.in_order().into_iter().map(|(index, _)| record(way, index)).collect();
    json!({ "order_id": order_id, "end": word(end), "records": records })
}

/// A record for a program.
pub(crate) fn record(way: &Way, index: usize) -> Value {
    let step = &way.steps()[index];
    let place = |index: usize| {
        let (topic, partition, offset) = way.steps()[index].place();
        json!({ "topic": topic.as_str(), "partition": partition, "offset": offset })
    };
    let mut record = place(index);
    record["at"] = json!(written_at(step.at_ms));
    record["event_type"] = json!(step.event_type);
    record["event_id"] = json!(step.event_id);
    record["run"] = json!(step.run);
    record["follows_from"] = json!(way.parent(index).map(place));
    record["after_ms"] = json!(way.parent(index).map(|parent| step.at_ms - way.steps()[parent].at_ms));
    record["redrives"] = json!(step.redrives);
    record["redelivered"] = json!(way.first_of(index).is_some());
    record["awaited"] = json!(way.awaited(index));
    record["dead_letter"] = match &step.kind {
        Kind::Event | Kind::Settlement(_) => Value::Null,
        Kind::DeadLetter(None) => json!({}),
        Kind::DeadLetter(Some(given_up)) => json!({
            "group": given_up.origin.group, "service": given_up.service, "reason": given_up.reason, "deliveries": given_up.deliveries,
        }),
    };
    record["fate"] = match &step.kind {
        Kind::Settlement(settlement) => json!(settlement.fate.as_str()),
        Kind::Event | Kind::DeadLetter(_) => Value::Null,
    };
    record
}

fn note(way: &Way, index: usize) -> String {
    let mut notes = Vec::new();
    if let Some(first) = way.first_of(index) {
        let how = if way.steps()[index].redrives > way.steps()[first].redrives { "redriven" } else { "redelivered" };
        notes.push(format!("{how}: it stands at {} already", way.steps()[first].offset));
    }
    match &way.steps()[index].kind {
        Kind::Event | Kind::Settlement(_) => {}
        Kind::DeadLetter(None) => notes.push("it does not say of which record".to_owned()),
        Kind::DeadLetter(Some(given_up)) => {
            notes.push(format!("{}: {}", shown(&given_up.service), shown(&given_up.reason)));
        }
    }
    if !way.awaited(index).is_empty() {
        notes.push(format!("awaits {}", way.awaited(index).join(", ")));
    }
    if notes.is_empty() { String::new() } else { format!("  ({})", notes.join("; ")) }
}

/// What became of the order, in a line.
pub(crate) fn verdict(way: &Way, end: End) -> String {
    let records = counted(way.len() as u64, "record");
    let first = way.steps().iter().map(|step| step.at_ms).min().unwrap_or(0);
    let last = way.steps().iter().map(|step| step.at_ms).max().unwrap_or(0);
    let took = duration(last - first);
    match end {
        End::Ended => format!("ended: {records} in {took}"),
        End::GivenUp => format!("given up: {records} in {took}, and nothing more is expected"),
        End::Contradictory => format!("contradictory: {records} in {took}, with ends that exclude each other"),
        End::Open => format!("not ended: {records} so far, in {took}"),
    }
}

/// The same for a program: the last line of those who follow.
pub(crate) fn ended(end: End) -> Value {
    json!({ "end": word(end) })
}

const fn word(end: End) -> &'static str {
    match end {
        End::Ended => "ended",
        End::GivenUp => "given_up",
        End::Contradictory => "contradictory",
        End::Open => "open",
    }
}

/// How long after what it follows from.
fn after(way: &Way, index: usize) -> String {
    let parent = way.parent(index);
    parent.map_or_else(String::new, |parent| {
        format!("+{}", duration(way.steps()[index].at_ms - way.steps()[parent].at_ms))
    })
}

fn duration(ms: i64) -> String {
    if ms.abs() < 10_000 { format!("{ms} ms") } else { format!("{:.1} s", ms as f64 / 1_000.0) }
}

#[cfg(test)]
mod tests {
    use events::{Timestamp, Topic};
    use messaging::audit::Mark;
    use messaging::{Fate, GivenUp, Origin, Settlement};

    use super::super::step::Step;
    use super::*;

    const PLACED: Topic = Topic::new("order_placed");
    const PAID: Topic = Topic::new("payment_result");

    fn event(topic: Topic, offset: i64, after_ms: i64, id: &str, cause: Option<&str>) -> Step {
        Step {
            topic,
            partition: 2,
            offset,
            at_ms: Timestamp::BASE.as_ms() + after_ms,
            event_type: topic.to_string(),
            event_id: Some(id.to_owned()),
            cause: cause.map(str::to_owned),
            run: None,
            mark: None,
            kind: Kind::Event,
            redrives: 0,
        }
    }

    fn dead_letter(offset: i64, of: i64, reason: &str) -> Step {
        let origin = Origin { group: "payment_processor.order_placed".into(), topic: PLACED, partition: 2, offset: of };
        let (service, reason) = ("payment_processor".to_owned(), reason.to_owned());
        let kind = Kind::DeadLetter(Some(GivenUp { origin, service, reason, deliveries: None, redrives: 0 }));
        Step { kind, ..event(Topic::new("payment_processor.order_placed.dead_letter"), offset, 9, "a", None) }
    }

    fn way(steps: impl IntoIterator<Item = Step>) -> Way {
        let mut way = Way::default();
        way.extend(steps);
        way
    }

    /// The rows of the tree, without what stands around them.
    fn rows(way: &Way) -> Vec<String> {
        let text = text("7f3a", way, End::Open);
        let rows = text.lines().skip(2).take_while(|line| !line.is_empty());
        rows.map(|row| row.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn what_follows_stands_below_its_cause_with_the_time_between_them() {
        let way = way([event(PAID, 7, 12, "b", Some("a")), event(PLACED, 4711, 0, "a", None)]);
        let expected = ["order_placed order_placed-2@4711", "+12 ms └─ payment_result payment_result-2@7"];
        assert_eq!(rows(&way), expected);
    }

    #[test]
    fn a_dead_letter_stands_below_the_record_that_was_given_up_with_its_reason() {
        let way = way([event(PLACED, 4711, 0, "a", None), dead_letter(3, 4711, "total: found -5")]);
        let letter =
            "+9 ms └─ dead letter payment_processor.order_placed.dead_letter-2@3 (payment_processor: total: found -5)";
        assert_eq!(rows(&way), ["order_placed order_placed-2@4711", letter]);
    }

    #[test]
    fn an_event_that_stands_again_is_named_and_what_follows_stands_below_the_first() {
        let way =
            way([event(PLACED, 1, 0, "a", None), event(PLACED, 2, 5, "a", None), event(PAID, 7, 6, "b", Some("a"))]);
        let expected = [
            "order_placed order_placed-2@1",
            "+6 ms └─ payment_result payment_result-2@7",
            "order_placed order_placed-2@2 (redelivered: it stands at 1 already)",
        ];
        assert_eq!(rows(&way), expected);
    }

    #[test]
    fn what_became_of_a_dead_letter_stands_below_it_and_its_record_stands_again() {
        let letter = dead_letter(3, 4711, "no");
        let Kind::DeadLetter(Some(GivenUp { origin, .. })) = &letter.kind else {
            unreachable!("it says what it is of")
        };
        let settlement = Settlement { origin: Some(origin.clone()), letter: 3, fate: Fate::Redriven };
        let settled = Step { kind: Kind::Settlement(settlement), offset: 4, ..letter.clone() };
        let again = Step { redrives: 1, mark: Some(Mark::new(0)), ..event(PLACED, 4800, 20, "a", None) };
        let way = way([event(PLACED, 4711, 0, "a", None), again, settled, letter]);
        let topic = "payment_processor.order_placed.dead_letter";
        let expected = [
            "order_placed order_placed-2@4711".to_owned(),
            format!("+9 ms └─ dead letter {topic}-2@3 (payment_processor: no)"),
            format!("+0 ms └─ redriven {topic}-2@4"),
            "order_placed order_placed-2@4800 (redriven: it stands at 4711 already)".to_owned(),
        ];
        assert_eq!(rows(&way), expected);
        assert!(!way.is_given_up(|topic| topic == PLACED), "it goes on by its second record");
        assert_eq!(record(&way, 2)["fate"], "redriven");
    }

    #[test]
    fn an_order_is_given_up_with_the_last_record_by_which_it_entered() {
        let is_given_up = |steps: &[&Step]| way(steps.iter().copied().cloned()).is_given_up(|topic| topic == PLACED);
        let readable = Step { mark: Some(Mark::new(0)), ..event(PLACED, 1, 0, "a", None) };
        let unreadable = event(PLACED, 2, 0, "a", None);
        assert!(!is_given_up(&[&readable]) && is_given_up(&[&unreadable]));
        let [letter_of_one, letter_of_other] = [dead_letter(3, 1, "no"), dead_letter(4, 2, "no")];
        assert!(is_given_up(&[&readable, &letter_of_one]));
        assert!(!is_given_up(&[&readable, &unreadable, &letter_of_other]));
        assert!(is_given_up(&[&readable, &unreadable, &letter_of_other, &letter_of_one]));
        let mut of_paid = dead_letter(3, 7, "no");
        if let Kind::DeadLetter(Some(given_up)) = &mut of_paid.kind {
            given_up.origin.topic = PAID;
        }
        assert!(is_given_up(&[&readable, &of_paid]), "it entered, and what follows was given up");
    }

    #[test]
    fn a_record_without_its_cause_begins_a_tree_and_one_that_was_read_before_is_not_told_twice() {
        let paid = event(PAID, 7, 6, "b", Some("deleted"));
        assert_eq!(rows(&way([paid.clone(), paid])), ["payment_result payment_result-2@7"]);
    }

    #[test]
    fn a_dead_letter_of_a_record_that_was_read_twice_stands_below_it() {
        let placed = event(PLACED, 4711, 0, "a", None);
        let way = way([placed.clone(), placed, dead_letter(3, 4711, "no")]);
        assert_eq!((rows(&way).len(), way.lacks_a_cause()), (2, false));
        assert!(rows(&way)[1].contains("└─ dead letter"), "{:?}", rows(&way));
    }

    #[test]
    fn records_that_claim_to_follow_from_each_other_are_all_told() {
        let way = way([
            event(PLACED, 1, 0, "a", Some("b")),
            event(PAID, 2, 1, "b", Some("a")),
            event(PAID, 3, 2, "c", Some("c")),
        ]);
        assert_eq!(rows(&way).len(), 3);
    }

    #[test]
    fn a_hostile_reason_is_one_line_and_no_command_of_a_terminal() {
        let reason = format!("\u{1b}[2J\r\n{}", "x".repeat(1_000_000));
        let way = way([event(PLACED, 1, 0, "a", None), dead_letter(3, 1, &reason)]);
        let rows = rows(&way);
        assert!(rows[1].contains(r"\u{1b}[2J\r\nxxx") && rows[1].ends_with("…)"), "{}", rows[1]);
        assert!(rows[1].chars().count() < 300 && !rows[1].contains('\u{1b}'));
    }

    #[test]
    fn a_program_reads_the_same() {
        let mut way = way([event(PLACED, 4711, 0, "a", None), dead_letter(3, 4711, "no")]);
        way.await_groups(0, vec!["inventory_manager.order_placed".into()]);
        let document = document("7f3a", &way, End::GivenUp);
        assert_eq!((&document["order_id"], &document["end"]), (&json!("7f3a"), &json!("given_up")));
        let [placed, letter] = [&document["records"][0], &document["records"][1]];
        assert_eq!((&placed["at"], &placed["offset"]), (&json!("2026-01-01T00:00:00.000Z"), &json!(4711)));
        assert_eq!(placed["awaited"], json!(["inventory_manager.order_placed"]));
        let follows = json!({ "topic": "order_placed", "partition": 2, "offset": 4711 });
        assert_eq!((&letter["follows_from"], &letter["after_ms"]), (&follows, &json!(9)));
        let said = json!({
            "group": "payment_processor.order_placed", "service": "payment_processor", "reason": "no", "deliveries": null,
        });
        assert_eq!(letter["dead_letter"], said);
    }
}
