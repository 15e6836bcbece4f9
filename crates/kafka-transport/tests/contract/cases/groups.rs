use std::collections::BTreeSet;

use events::Topic;
use simulation::broker::Stored;

use crate::broker::{Broker, End, Member, Refusal};
use crate::cases::until;
use crate::suite::PARTITIONS;

const RECORDS: usize = 30;

pub(super) fn a_group_goes_on_behind_what_it_committed_and_another_reads_everything(broker: &dyn Broker, topic: Topic) {
    let all = write(broker, topic);
    let group = format!("{topic}.first");
    let mut member = broker.join(&group, topic, End::Leaves);
    reads(&mut *member, all.len());
    let done: Vec<i64> = (0..PARTITIONS).map(|partition| ends(&all)[partition as usize] / 2).collect();
    for (partition, &offset) in (0..).zip(&done) {
        member.commit(partition, offset).unwrap();
    }
    member.end();
    for (partition, &offset) in (0..).zip(&done) {
        assert_eq!(broker.committed(&group, topic, partition), Some(offset), "partition {partition}");
    }
    let rest: BTreeSet<_> =
        all.iter().copied().filter(|&(partition, offset)| offset >= done[partition as usize]).collect();
    assert_eq!(reads(&mut *broker.join(&group, topic, End::Leaves), rest.len()), rest);
    assert_eq!(reads(&mut *broker.join(&format!("{topic}.second"), topic, End::Leaves), all.len()), all);
}

pub(super) fn two_members_share_the_partitions_and_who_leaves_gives_its_own_to_the_other(
    broker: &dyn Broker,
    topic: Topic,
) {
    let group = topic.as_str();
    let mut members = [broker.join(group, topic, End::Leaves), broker.join(group, topic, End::Leaves)];
    until("both members to have partitions", || {
        let partitions = members.each_mut().map(|member| member.turn());
        partitions.iter().all(|of_one| !of_one.is_empty()) && are_dealt(&partitions.concat())
    });
    let all = write(broker, topic);
    until("every record", || {
        members.iter_mut().for_each(|member| drop(member.turn()));
        members.iter().map(|member| member.seen().len()).sum::<usize>() >= all.len()
    });
    let [first, mut second] = members;
    assert_eq!([first.seen(), second.seen()].concat().into_iter().collect::<BTreeSet<_>>(), all);
    first.end();
    until("the other to have all partitions", || are_dealt(&second.turn()));
}

pub(super) fn the_partitions_of_a_dead_member_go_to_the_other(broker: &dyn Broker, topic: Topic) {
    let group = topic.as_str();
    let mut dead = broker.join(group, topic, End::Dies);
    until("partitions", || are_dealt(&dead.turn()));
    dead.end();
    let mut heir = broker.join(group, topic, End::Leaves);
    until("the partitions of the dead", || are_dealt(&heir.turn()));
}

pub(super) fn a_late_member_commits_nothing_and_takes_no_commit_back(broker: &dyn Broker, topic: Topic) {
    let all = write(broker, topic);
    let group = topic.as_str();
    let mut late = broker.join(group, topic, End::Leaves);
    reads(&mut *late, all.len());
    let mut heir = broker.join(group, topic, End::Leaves);
    let mut partitions = Vec::new();
    until("partitions of the one that is silent", || {
        partitions = heir.turn();
        !partitions.is_empty()
    });
    for partition in partitions {
        heir.commit(partition, 5).unwrap();
        assert_eq!(late.commit(partition, 3), Err(Refusal::LateMember), "partition {partition}");
        assert_eq!(broker.committed(group, topic, partition), Some(5), "partition {partition}");
    }
}

/// Writes records to all partitions, and answers where they stand.
fn write(broker: &dyn Broker, topic: Topic) -> BTreeSet<(i32, i64)> {
    let record = |n: usize| Stored { key: Some(n.to_string().into_bytes()), ..Stored::default() };
    let places = broker.write(topic, &(0..RECORDS).map(record).collect::<Vec<_>>());
    places.into_iter().map(|place| place.unwrap()).map(|place| (place.partition, place.offset)).collect()
}

/// Where each partition ends.
fn ends(all: &BTreeSet<(i32, i64)>) -> Vec<i64> {
    (0..PARTITIONS).map(|partition| all.iter().filter(|(of, _)| *of == partition).count() as i64).collect()
}

/// What a member reads that is to read so many.
fn reads(member: &mut dyn Member, count: usize) -> BTreeSet<(i32, i64)> {
    until("a member's records", || {
        member.turn();
        member.seen().len() >= count
    });
    member.seen().iter().copied().collect()
}

/// Whether these are all partitions, each once.
fn are_dealt(partitions: &[i32]) -> bool {
    let mut partitions = partitions.to_vec();
    partitions.sort_unstable();
    partitions.into_iter().eq(0..PARTITIONS)
}
