//! Where a record with a key stands.

/// The seed of Kafka's own clients.
const SEED: u32 = 0x9747_b28c;

/// The partition of a key among so many, as Kafka's default partitioner and ours (`murmur2_random`) choose it.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    let hash = murmur2::murmur2(key, SEED) & 0x7fff_ffff;
    hash % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes of Kafka's own test, `UtilsTest.testMurmur2`.
    #[test]
    fn keys_are_hashed_as_kafka_does() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2::murmur2(key.as_bytes(), SEED), hash.cast_unsigned(), "{key}");
        }
    }

    #[test]
    fn a_key_has_one_partition_of_those_that_there_are() {
        assert_eq!(partition_of(b"foobar", 3), ((-790_332_482_i32).cast_unsigned() & 0x7fff_ffff) % 3);
        assert_eq!((partition_of(b"foobar", 1), partition_of(b"foobar", 0)), (0, 0));
    }
}
