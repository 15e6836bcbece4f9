//! Passwords, and what Kafka keeps of them (SCRAM-SHA-512, RFC 5802).

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{digest, hmac, pbkdf2};

/// The least that Kafka accepts: these passwords are random, so that more would only cost time.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();

/// A password of 192 random bits, of letters that no shell and no property file takes for something else.
pub(crate) fn random_password() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
}

/// What a broker needs to recognise a password, as it stands in ZooKeeper.
pub(crate) fn credential(password: &str) -> String {
    let salt: [u8; 16] = rand::random();
    let mut salted = [0; digest::SHA512_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, ITERATIONS, &salt, password.as_bytes(), &mut salted);
    let key = hmac::Key::new(hmac::HMAC_SHA512, &salted);
    let stored_key = digest::digest(&digest::SHA512, hmac::sign(&key, b"Client Key").as_ref());
    let server_key = hmac::sign(&key, b"Server Key");
    format!(
        "salt={},stored_key={},server_key={},iterations={ITERATIONS}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key)
    )
}
