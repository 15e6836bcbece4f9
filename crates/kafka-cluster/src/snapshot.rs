//! ZooKeeper's snapshot file: what it knows before it starts, without a ZooKeeper to tell it to.
//!
//! Version 2 of the format, as ZooKeeper reads it since 3.4: big-endian, lengths before bytes, a sum at the end.

use std::collections::BTreeMap;

/// The ACL that lets everyone do everything.
const OPEN: i64 = -1;
/// A node's times, versions, transactions and owner: all of them nought.
const STAT_BYTES: usize = 60;

/// A snapshot of these nodes, by path. A parent stands among them or is added empty.
pub(crate) fn of(nodes: &BTreeMap<String, String>) -> Vec<u8> {
    let mut file = b"ZKSN".to_vec();
    file.extend(2_i32.to_be_bytes()); // version
    file.extend((-1_i64).to_be_bytes()); // database
    file.extend(0_i32.to_be_bytes()); // sessions
    file.extend(0_i32.to_be_bytes()); // ACLs beside the open one
    // A parent's path sorts before those of its children, which is all that the reader asks for.
    for (path, data) in with_parents(nodes) {
        text(&mut file, &path);
        text(&mut file, &data);
        file.extend(OPEN.to_be_bytes());
        file.extend([0; STAT_BYTES]);
    }
    text(&mut file, "/"); // no further node
    let sum = adler32(&file);
    file.extend(i64::from(sum).to_be_bytes());
    text(&mut file, "/");
    file
}

fn with_parents(nodes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for path in nodes.keys() {
        for (at, _) in path.match_indices('/') {
            all.insert(path[..at].to_owned(), String::new());
        }
    }
    all.extend(nodes.clone());
    all
}

fn text(file: &mut Vec<u8>, text: &str) {
    let length = i32::try_from(text.len()).unwrap_or(i32::MAX);
    file.extend(length.to_be_bytes());
    file.extend(text.as_bytes());
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % MODULUS;
        (a, (a + b) % MODULUS)
    });
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_comes_before_its_children_and_is_added_where_it_is_missing() {
        let nodes = BTreeMap::from([("/a/b".into(), "data".into()), ("/a-b".into(), "other".into())]);
        let all: Vec<_> = with_parents(&nodes).into_iter().collect();
        let expected = [("", ""), ("/a", ""), ("/a-b", "other"), ("/a/b", "data")];
        assert_eq!(all, expected.map(|(path, data)| (path.to_owned(), data.to_owned())));
    }

    #[test]
    fn the_sum_is_that_of_rfc_1950() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
