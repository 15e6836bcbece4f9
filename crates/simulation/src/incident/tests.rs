use events::Topic;

use super::*;

fn names() -> Names {
    Names {
        members: vec!["payment_processor.order_placed/0".into(), "payment_processor.order_placed/1".into()],
        services: vec!["payment_processor".into()],
        groups: vec!["payment_processor.order_placed".into()],
    }
}

fn check(incident: Incident, expected: &str) {
    assert_eq!(names().tell(1234, incident), format!("t=1234 ms: {expected}"));
}

#[test]
fn every_fault_is_told_with_who_and_how_much() {
    let (member, consumer, party) = (1, 0, Party::Member(1));
    let topic = Topic::new("order_placed");
    let place = Place { topic, partition: 2, offset: 17 };
    check(
        Incident::Crash { member, point: CrashPoint::AfterProduce },
        "payment_processor.order_placed/1 crashes after produce, before the acknowledgement",
    );
    check(
        Incident::Duplicate { member, records: 3 },
        "payment_processor.order_placed/1 gets a batch of 3 records again",
    );
    check(Incident::Interleaved { member }, "payment_processor.order_placed/1 fetches its partitions interleaved");
    check(
        Incident::Overtaken { party, delay_ms: 40 },
        "payment_processor.order_placed/1: other partitions overtake a request by 40 ms",
    );
    check(
        Incident::ProduceFailure { party: Party::Source, topic, partition: 2, refused: 1 },
        "the source: the broker refuses 1 record for order_placed-2",
    );
    check(
        Incident::AckLoss { party, topic, partition: 2, written: 4 },
        "payment_processor.order_placed/1: the acknowledgement of 4 records in order_placed-2 is lost",
    );
    check(Incident::CommitFailure { member }, "payment_processor.order_placed/1: its commit fails");
    check(Incident::Slow { member, for_ms: 900 }, "payment_processor.order_placed/1 is slow for 900 ms");
    check(Incident::Dead { consumer, for_ms: 9000 }, "all of payment_processor is down for 9000 ms");
    check(
        Incident::Partition { party, for_ms: 500 },
        "payment_processor.order_placed/1 is cut off from the broker for 500 ms",
    );
    check(
        Incident::ClockJump { member, by_ms: -3_600_000 },
        "payment_processor.order_placed/1: its clock jumps by -3600000 ms",
    );
    check(
        Incident::Transient { consumer, for_ms: 700 },
        "what payment_processor.order_placed needs is away for 700 ms",
    );
    check(
        Incident::Corruption { place, how: Corruption::NotUtf8 },
        "order_placed-2@17 is corrupted: a byte 0xFF within",
    );
}

#[test]
fn the_log_keeps_the_last_faults_and_says_how_many_it_left_out() {
    let mut log = Log::default();
    for at_ms in 0..=Log::MAX_ENTRIES as u64 + 1 {
        log.push(at_ms, Incident::CommitFailure { member: 0 });
    }
    let lines = log.lines(&names());
    assert_eq!(lines.len(), Log::MAX_ENTRIES + 1);
    assert_eq!(lines[0], "(2 earlier faults left out)");
    assert_eq!(lines[1], "t=2 ms: payment_processor.order_placed/0: its commit fails");
}
