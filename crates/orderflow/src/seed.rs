use crate::tell;

/// The seed that was given, or a random one. Whoever calls it prints it: a run can be repeated only by its seed.
pub(crate) fn or_random(seed: Option<u64>) -> u64 {
    // 32 bits are enough to differ and short enough to type.
    seed.unwrap_or_else(|| rand::random::<u32>().into())
}

/// Tells the seed where no other line does.
pub(crate) fn announce(seed: u64) {
    tell(&format!("seed {seed}"));
}
