//! One file a subject, one function a case.

mod crashes; // what was confirmed stays
mod groups; // who reads what, and how far a group is
mod keys; // where a record stands
mod orders; // the shop on top of it
mod records; // what is read is what was written
mod topics; // what there is

use std::time::Instant;

use crate::kafka::DEADLINE;
use crate::suite::{Case, case};

/// All cases.
pub(crate) const CASES: &[Case] = &[
    case!(records::null_empty_and_any_other_bytes_come_back_as_they_were_written),
    case!(records::an_event_is_decoded_as_it_was_encoded),
    case!(records::a_record_beyond_the_topics_limit_is_refused_and_those_around_it_are_not needs Settings),
    case!(keys::records_of_a_key_stand_in_one_partition_in_their_order_without_a_gap),
    case!(keys::a_key_stands_where_javas_clients_would_put_it needs Protocol),
    case!(groups::a_group_goes_on_behind_what_it_committed_and_another_reads_everything),
    case!(groups::two_members_share_the_partitions_and_who_leaves_gives_its_own_to_the_other),
    case!(groups::the_partitions_of_a_dead_member_go_to_the_other),
    case!(groups::a_late_member_commits_nothing_and_takes_no_commit_back),
    case!(topics::an_unknown_topic_is_refused_and_not_made),
    case!(topics::a_topic_is_made_once_with_its_partitions needs Creation),
    case!(topics::a_topic_has_the_settings_that_it_was_made_with needs Settings),
    case!(topics::a_stranger_is_not_let_in needs Security),
    case!(orders::every_order_comes_to_its_end_with_the_digest_of_the_simulation),
    case!(crashes::another_leads_on_where_a_leader_is_killed needs Replication alone),
    case!(crashes::what_was_confirmed_survives_a_crash needs Durability alone),
];

/// Tries until this holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {} s for {what}", DEADLINE.as_secs());
    }
}
