//! What becomes of a client whose only broker names no broker for a while: one that was silent for longer than its session.
#![cfg(test)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use kafka_transport::{Admin, Connection, Layout};

/// So many that librdkafka is busy with them while the broker is taken from it: its own way back is cancelled only then.
const TOPICS: i32 = 2_000;
const ROUNDS: usize = 10;

#[test]
fn a_client_whose_only_broker_named_none_for_a_while_comes_back_to_it() {
    let broker = Broker::start();
    let admin = Admin::connect(&Connection::plaintext(&broker.address)).unwrap();
    for round in 0..ROUNDS {
        broker.names_itself.store(false, Ordering::Release);
        assert_eq!(admin.layout(&[]).unwrap(), Layout::default(), "round {round}");
        broker.names_itself.store(true, Ordering::Release);
        assert_eq!(admin.brokers().unwrap(), std::slice::from_ref(&broker.address), "round {round}");
    }
}

/// As much of a broker as a client asks that wants to know what there is.
struct Broker {
    address: String,
    names_itself: Arc<AtomicBool>,
}

impl Broker {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let names_itself = Arc::new(AtomicBool::new(true));
        let named = Arc::clone(&names_itself);
        // Both end with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, named) = (stream.unwrap(), Arc::clone(&named));
                thread::spawn(move || answer(stream, address.port(), &named));
            }
        });
        Self { address: address.to_string(), names_itself }
    }
}

const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const UNSUPPORTED_VERSION: i16 = 35;

/// Answers until the client hangs up: <https://kafka.apache.org/39/protocol.html>, each question in its oldest version that serves.
fn answer(mut stream: TcpStream, port: u16, names_itself: &AtomicBool) {
    loop {
        let mut length = [0; 4];
        if stream.read_exact(&mut length).is_err() {
            return;
        }
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request).unwrap();
        let (key, version) = (short(&request[0..2]), short(&request[2..4]));
        let mut response = Response(request[4..8].to_vec()); // the question's number
        match key {
            API_VERSIONS => {
                response.short(if version == 0 { 0 } else { UNSUPPORTED_VERSION }).int(2);
                for (key, newest) in [(METADATA, 1), (API_VERSIONS, 0)] {
                    response.short(key).short(0).short(newest);
                }
            }
            METADATA => {
                let brokers = i32::from(names_itself.load(Ordering::Acquire));
                response.int(brokers);
                for id in 1..=brokers {
                    response.int(id).text("127.0.0.1").int(port.into()).short(-1); // in no rack
                }
                response.int(-1).int(TOPICS); // no controller
                for topic in 0..TOPICS {
                    // With a short name it would need more room than librdkafka keeps for it. It is not internal, and has no partitions.
                    response.short(0).text(&format!("{topic:0>100}")).byte(0).int(0);
                }
            }
            _ => panic!("a request that nobody told it of: {key}"),
        }
        let Response(bytes) = response;
        let framed = [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat();
        if stream.write_all(&framed).is_err() {
            return;
        }
    }
}

fn short(bytes: &[u8]) -> i16 {
    i16::from_be_bytes(bytes.try_into().unwrap())
}

struct Response(Vec<u8>);

impl Response {
    fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    fn short(&mut self, number: i16) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn int(&mut self, number: i32) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.short(text.len().try_into().unwrap());
        self.0.extend(text.bytes());
        self
    }
}
