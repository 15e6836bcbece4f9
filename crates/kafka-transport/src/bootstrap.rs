//! The way back for a client that librdkafka has left without a broker.
//!
//! A broker that was silent for longer than its session names no broker in its first answers, not even itself. librdkafka removes
//! every broker that an answer does not name, and the same answer cancels its own return to `bootstrap.servers`
//! (`confluentinc/librdkafka` issue 5301, in 2.12.1 as in 2.13): such a client would never connect again.
#![expect(unsafe_code, reason = "rdkafka has no safe wrapper for adding brokers")]

use std::ffi::CString;

use rdkafka::bindings as rdsys;
use rdkafka::client::{Client, ClientContext};

use crate::Connection;

/// Lets a client know the brokers again that it was given at its beginning. Those that it still knows stay as they are.
pub(crate) fn begin_again<C: ClientContext>(client: &Client<C>, connection: &Connection) {
    // An address was parsed, and has no zero.
    let Ok(brokers) = CString::new(connection.brokers()) else { return };
    // SAFETY: the client is borrowed, so that it lives; the addresses are valid, and copied.
    unsafe { rdsys::rd_kafka_brokers_add(client.native_ptr(), brokers.as_ptr()) };
}
