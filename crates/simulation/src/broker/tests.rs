use super::*;

const ORDERS: Topic = Topic::new("orders");
const OTHERS: Topic = Topic::new("others");

fn broker() -> Broker {
    let mut broker = Broker::new();
    broker.create_topic(ORDERS, 3).unwrap();
    broker
}

fn record(key: &str, value: &str) -> Stored {
    let headers = vec![("run".to_owned(), Some(b"1".to_vec()))];
    Stored { key: Some(key.into()), value: Some(value.into()), headers }
}

#[test]
fn records_of_a_key_stand_in_one_partition_in_the_order_of_their_writing() {
    let mut broker = broker();
    let first = broker.produce(ORDERS, record("a", "1")).unwrap();
    let second = broker.produce(ORDERS, record("a", "2")).unwrap();
    assert_eq!((first.offset, second), (0, Place { offset: 1, ..first }));
    assert_eq!(broker.fetch(ORDERS, first.partition, 0, 10), Ok(&[record("a", "1"), record("a", "2")][..]));
    assert_eq!(broker.fetch(ORDERS, first.partition, 0, 1), Ok(&[record("a", "1")][..]));
    assert_eq!(broker.fetch(ORDERS, first.partition, 2, 10), Ok(&[][..]));
    assert_eq!(broker.end_offset(ORDERS, first.partition), Ok(2));
}

#[test]
fn the_partition_of_a_key_is_specified_because_every_schedule_depends_on_it() {
    let broker = broker();
    let partitions = ["a", "b", "c", "7f3a"].map(|key| broker.partition_of(ORDERS, Some(key.as_bytes())).unwrap());
    assert_eq!(partitions, ["a", "b", "c", "7f3a"].map(|key| (xxh3_64(key.as_bytes()) % 3) as i32));
    assert_eq!(broker.partition_of(ORDERS, None), Ok(0));
}

#[test]
fn what_does_not_exist_is_refused_by_name() {
    let mut broker = broker();
    let text = |error: Error| error.to_string();
    assert_eq!(text(broker.create_topic(ORDERS, 1).unwrap_err()), "topic `orders` exists already");
    assert_eq!(
        text(broker.create_topic(OTHERS, 0).unwrap_err()),
        "topic `others`: found 0 partitions, allowed 1 or more"
    );
    assert_eq!(text(broker.produce(OTHERS, record("a", "1")).unwrap_err()), "no topic `others`: create it first");
    assert_eq!(
        text(broker.fetch(ORDERS, 3, 0, 1).unwrap_err()),
        "orders-3: no such partition, `orders` has 3, counted from 0"
    );
    assert_eq!(
        text(broker.fetch(ORDERS, -1, 0, 1).unwrap_err()),
        "orders--1: no such partition, `orders` has 3, counted from 0"
    );
    assert_eq!(text(broker.fetch(ORDERS, 0, 1, 1).unwrap_err()), "orders-0@1: out of range, allowed 0 to 0");
    assert_eq!(text(broker.committed("g", 0).unwrap_err()), "no group `g`: a member must join it first");
    assert_eq!(text(broker.leave("g", 1).unwrap_err()), "no group `g`: a member must join it first");
}

#[test]
fn members_share_the_partitions_and_a_dead_ones_go_to_the_other() {
    let mut broker = broker();
    assert_eq!(broker.join("g", ORDERS, 0), Ok(Assignment { generation: 1, partitions: vec![0, 1, 2] }));
    assert_eq!(broker.join("g", ORDERS, 1), Ok(Assignment { generation: 2, partitions: vec![1] }));
    assert_eq!(broker.assignment("g", 0), Ok(Assignment { generation: 2, partitions: vec![0, 2] }));
    broker.leave("g", 0).unwrap();
    assert_eq!(broker.assignment("g", 1), Ok(Assignment { generation: 3, partitions: vec![0, 1, 2] }));
    assert_eq!(broker.assignment("g", 0), Err(Error::UnknownMember { group: "g".into(), member: 0 }));
    assert_eq!(broker.leave("g", 0), Err(Error::UnknownMember { group: "g".into(), member: 0 }));
    assert_eq!(broker.join("g", ORDERS, 0), Ok(Assignment { generation: 4, partitions: vec![0, 2] }));
}

#[test]
fn a_group_goes_on_where_it_committed() {
    let mut broker = broker();
    broker.join("g", ORDERS, 0).unwrap();
    assert_eq!(broker.committed("g", 0), Ok(None));
    broker.commit("g", (0, 1), 0, 7).unwrap();
    assert_eq!(broker.committed("g", 0), Ok(Some(7)));
    broker.join("other", ORDERS, 0).unwrap();
    assert_eq!(broker.committed("other", 0), Ok(None));
}

#[test]
fn a_commit_of_an_old_generation_a_stranger_or_another_members_partition_is_refused() {
    let mut broker = broker();
    broker.join("g", ORDERS, 0).unwrap();
    broker.join("g", ORDERS, 1).unwrap();
    let mut refusal =
        |member, generation, partition| broker.commit("g", (member, generation), partition, 1).unwrap_err().to_string();
    assert_eq!(refusal(0, 1, 0), "group `g`: generation 1 is over, it is 2: take the new assignment");
    assert_eq!(refusal(2, 2, 0), "group `g` has no member 2: join again");
    assert_eq!(refusal(0, 2, 1), "group `g`: partition 1 is not assigned to member 0");
    assert_eq!(broker.committed("g", 0), Ok(None));
}

#[test]
fn a_group_reads_one_topic() {
    let mut broker = broker();
    broker.create_topic(OTHERS, 1).unwrap();
    broker.join("g", ORDERS, 0).unwrap();
    assert_eq!(broker.join("g", OTHERS, 1).unwrap_err().to_string(), "group `g` reads `orders`, not `others`");
    assert_eq!(broker.topics().collect::<Vec<_>>(), [(ORDERS, 3), (OTHERS, 1)]);
}

#[test]
fn deliveries_are_counted_for_each_group_and_record() {
    let mut broker = broker();
    broker.join("g", ORDERS, 0).unwrap();
    broker.join("other", ORDERS, 0).unwrap();
    assert_eq!([1, 2].map(|_| broker.deliver("g", 0, 4).unwrap()), [1, 2]);
    assert_eq!(broker.deliver("g", 0, 3), Ok(1));
    assert_eq!((broker.redeliveries("g"), broker.redeliveries("other")), (Ok(1), Ok(0)));
}
