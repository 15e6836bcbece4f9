//! Which trace a record belongs to, and which of its spans the record follows from: [W3C Trace Context], level 2.
//!
//! [W3C Trace Context]: https://www.w3.org/TR/trace-context-2/

use std::num::{NonZeroU64, NonZeroU128};

use xxhash_rust::xxh3::xxh3_128;

/// The header with a [`TraceContext`].
pub const TRACEPARENT: &str = "traceparent";
/// The header beside it with what tracing systems add for themselves. Nobody here reads it; it goes where its `traceparent` goes.
pub const TRACESTATE: &str = "tracestate";

/// A span of a trace, as the header [`TRACEPARENT`] names it: `00-TRACE-SPAN-FLAGS`, 55 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: NonZeroU128,
    span_id: NonZeroU64,
    flags: u8,
}

/// The flag that somebody keeps the spans of this trace.
const SAMPLED: u8 = 1;
/// The flags that level 2 defines: sampled, and that the trace's id is random. Others are not to be passed on.
const KNOWN_FLAGS: u8 = SAMPLED | 2;

/// The length of a header of version 00; those of later versions may go on behind a `-`.
const LENGTH: usize = 55;

impl TraceContext {
    /// The first span of an order's trace in a run. Its id is the hash of run and key: a record that comes again, or comes without its
    /// header, is of the same trace, on every host. Whoever makes spans keeps them.
    pub fn of_order(run: Option<&[u8]>, key: &[u8], span_id: NonZeroU64) -> Self {
        const UNIT_SEPARATOR: u8 = 0x1F;
        let mut bytes = Vec::with_capacity(128);
        for part in [b"trace", run.unwrap_or_default()] {
            bytes.extend_from_slice(part);
            bytes.push(UNIT_SEPARATOR);
        }
        bytes.extend_from_slice(key);
        let trace_id = NonZeroU128::new(xxh3_128(&bytes)).unwrap_or(NonZeroU128::MIN);
        Self { trace_id, span_id, flags: SAMPLED }
    }

    /// Another span of the same trace.
    #[must_use]
    pub const fn with_span(self, span_id: NonZeroU64) -> Self {
        Self { span_id, ..self }
    }

    /// Reads the header; `None` where it is not as the recommendation has it. Of a later version what this one knows is read.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (known, behind) = header.split_at_checked(LENGTH)?;
        let version = hex(&known[..2])?;
        let has_dashes = [2, 35, 52].iter().all(|&place| known[place] == b'-');
        let ends = behind.is_empty() || version != 0 && behind[0] == b'-';
        if version == 0xFF || !has_dashes || !ends {
            return None;
        }
        Some(Self {
            trace_id: NonZeroU128::new(hex(&known[3..35])?)?,
            span_id: NonZeroU64::new(u64::try_from(hex(&known[36..52])?).ok()?)?,
            flags: u8::try_from(hex(&known[53..])?).ok()? & KNOWN_FLAGS,
        })
    }

    /// The header's value, of version 00.
    pub fn encode(self) -> [u8; LENGTH] {
        let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut header[3..35], self.trace_id.get());
        write_hex(&mut header[36..52], self.span_id.get().into());
        write_hex(&mut header[53..], self.flags.into());
        header
    }

    /// The trace.
    pub const fn trace_id(self) -> NonZeroU128 {
        self.trace_id
    }

    /// The span within it.
    pub const fn span_id(self) -> NonZeroU64 {
        self.span_id
    }

    /// Whether spans of this trace are kept: where it began somebody has decided so.
    pub const fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }
}

/// The number in lower-case hexadecimal digits, 32 at most; no others are allowed.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, &digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// Fills the digits from behind.
fn write_hex(digits: &mut [u8], mut number: u128) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xF) as usize];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The recommendation's own example.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn parse(header: &str) -> Option<TraceContext> {
        TraceContext::parse(header.as_bytes())
    }

    #[test]
    fn the_example_of_the_recommendation_is_read_and_written_as_it_stands() {
        let context = parse(EXAMPLE).unwrap();
        assert_eq!(context.trace_id().get(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(context.span_id().get(), 0x00f0_67aa_0ba9_02b7);
        assert!(context.is_sampled());
        assert_eq!(context.encode(), EXAMPLE.as_bytes());
    }

    #[test]
    fn a_header_that_the_recommendation_forbids_is_none() {
        for forbidden in [
            "",
            "00",
            "00-4bf9-00f0-01",
            // a digit too few, one too many, something behind version 00
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            // capitals, and what is no digit
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            // ids of nothing but zeros
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            // other separators, and the version that is none
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            // a later version that goes on without a separator
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
        ] {
            assert_eq!(parse(forbidden), None, "{forbidden}");
        }
    }

    #[test]
    fn of_a_later_version_what_is_known_is_read_and_passed_on_as_version_00() {
        for later in
            [EXAMPLE.replacen("00", "cc", 1), EXAMPLE.replacen("00", "cc", 1) + "-what the future will be like"]
        {
            assert_eq!(parse(&later).unwrap().encode(), EXAMPLE.as_bytes(), "{later}");
        }
    }

    #[test]
    fn of_the_flags_those_that_are_defined_are_passed_on() {
        for (flags, passed_on, is_sampled) in
            [("00", "00", false), ("01", "01", true), ("02", "02", false), ("03", "03", true), ("fc", "00", false)]
        {
            let context = parse(&EXAMPLE.replace("-01", &format!("-{flags}"))).unwrap();
            assert_eq!(context.encode(), EXAMPLE.replace("-01", &format!("-{passed_on}")).as_bytes(), "{flags}");
            assert_eq!(context.is_sampled(), is_sampled, "{flags}");
        }
    }

    #[test]
    fn an_order_of_a_run_has_one_trace_and_that_of_another_run_another() {
        let span = |id| NonZeroU64::new(id).unwrap();
        let of = |run: Option<&str>, key: &str| TraceContext::of_order(run.map(str::as_bytes), key.as_bytes(), span(7));
        let context = of(Some("run-1"), "7f3a");
        assert_eq!(context.trace_id(), of(Some("run-1"), "7f3a").with_span(span(8)).trace_id());
        assert!(context.is_sampled());
        for other in [of(Some("run-2"), "7f3a"), of(Some("run-1"), "7f3b"), of(None, "7f3a"), of(Some("run-17"), "f3a")]
        {
            assert_ne!(other.trace_id(), context.trace_id());
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_as_it_was(trace_id: NonZeroU128, span_id: NonZeroU64, flags in 0..=KNOWN_FLAGS) {
            let context = TraceContext { trace_id, span_id, flags };
            prop_assert_eq!(TraceContext::parse(&context.encode()), Some(context));
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            prop_assert_eq!(TraceContext::parse(&bytes), None, "random bytes are no header");
        }

        #[test]
        fn what_is_read_of_a_header_with_one_byte_changed_is_a_header(place in 0..LENGTH, byte: u8) {
            let mut header = EXAMPLE.as_bytes().to_vec();
            header[place] = byte;
            if let Some(context) = TraceContext::parse(&header) {
                prop_assert_eq!(TraceContext::parse(&context.encode()), Some(context));
            }
        }
    }
}
