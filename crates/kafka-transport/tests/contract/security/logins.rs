use events::Topic;

use super::{cluster, first, login, told};
use crate::broker::Broker;

pub(super) fn a_wrong_password_is_told_with_the_user_it_was_given_for(broker: &dyn Broker, _: Topic) {
    check(broker, "payment_processor");
}

pub(super) fn an_unknown_user_is_told_as_a_wrong_password_is(broker: &dyn Broker, _: Topic) {
    check(broker, "nobody");
}

#[track_caller]
fn check(broker: &dyn Broker, user: &str) {
    let cluster = cluster(broker);
    let address = first(cluster);
    assert_eq!(
        told(&login(cluster, address, user, "not the password")),
        format!(
            "{address}: user {user} was refused (SASL authentication error: Authentication failed during authentication due to \
             invalid credentials with SASL mechanism SCRAM-SHA-512): check KAFKA_USERNAME, KAFKA_PASSWORD and that the cluster \
             has this SCRAM-SHA-512 user"
        )
    );
}
