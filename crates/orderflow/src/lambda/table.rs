use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use lambda_emulator::{FunctionStatus, MappingSummary};

use crate::grouped;

/// What each function has done, and below that which mappings have a problem.
pub(super) fn table(functions: &[FunctionStatus], mappings: &[MappingSummary]) -> String {
    let mut text = String::new();
    let mut row = |cells: [&str; 8]| {
        let [function, invocations, errors, retries, p50, p99, memory, lag] = cells;
        // A String takes all.
        let _ = writeln!(
            text,
            "{function:<24} {invocations:>12} {errors:>8} {retries:>8} {p50:>10} {p99:>10} {memory:>8} {lag:>9}"
        );
    };
    row(["FUNCTION", "INVOCATIONS", "ERRORS", "RETRIES", "P50", "P99", "MEMORY", "LAG"]);
    for FunctionStatus { function, invocations, errors, retries, p50, p99, memory_mib } in functions {
        let of_it = mappings.iter().filter(|mapping| mapping.function == *function);
        let lag: Option<u64> = of_it.filter_map(|mapping| mapping.status.lag).reduce(|sum, lag| sum + lag);
        let if_invoked = |text: String| if *invocations > 0 { text } else { "-".to_owned() };
        row([
            function,
            &grouped(*invocations),
            &grouped(*errors),
            &grouped(*retries),
            &if_invoked(ms(*p50)),
            &if_invoked(ms(*p99)),
            &if_invoked(format!("{memory_mib} MB")),
            &lag.map_or("-".to_owned(), grouped),
        ]);
    }
    for MappingSummary { group, status, .. } in mappings {
        let problem = if status.reason.is_empty() { &status.last_result } else { &status.reason };
        if problem.contains("PROBLEM") || !status.reason.is_empty() {
            let _ = writeln!(text, "{group}: {problem}");
        }
    }
    text
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}

/// The table on a terminal, drawn over the one before.
pub(super) struct Live {
    lines: usize,
}

impl Live {
    /// Nothing where nobody looks at a terminal.
    pub(super) fn on_terminal() -> Option<Self> {
        io::stdout().is_terminal().then_some(Self { lines: 0 })
    }

    pub(super) fn draw(&mut self, table: &str) {
        let _ = self.write_to(&mut io::stdout().lock(), table); // who looks no more misses nothing
    }

    fn write_to(&mut self, terminal: &mut impl io::Write, table: &str) -> io::Result<()> {
        if self.lines > 0 {
            write!(terminal, "\x1b[{}F\x1b[J", self.lines)?; // up to its first line, and all away below that
        }
        self.lines = table.lines().count();
        // Without wrapping: a long line would take more lines than one.
        write!(terminal, "\x1b[?7l{table}\x1b[?7h")?;
        terminal.flush()
    }
}

#[cfg(test)]
mod tests {
    use lambda_emulator::MappingStatus;

    use super::*;

    fn mapping(function: &str, topic: &str, status: MappingStatus) -> MappingSummary {
        MappingSummary { function: function.into(), topic: topic.into(), group: format!("{function}.{topic}"), status }
    }

    fn cells(line: &str) -> Vec<&str> {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
    }

    #[test]
    fn a_function_is_told_with_the_lag_of_all_its_mappings() {
        let busy = FunctionStatus {
            function: "busy".into(),
            invocations: 1_200,
            errors: 3,
            retries: 2,
            p50: Duration::from_micros(4_120),
            p99: Duration::from_millis(12),
            memory_mib: 14,
        };
        let idle = FunctionStatus { function: "idle".into(), ..FunctionStatus::default() };
        let lag = |lag| MappingStatus { lag: Some(lag), last_result: "OK".into(), ..MappingStatus::default() };
        let text = table(&[busy, idle], &[mapping("busy", "a", lag(1_000)), mapping("busy", "b", lag(7))]);
        let lines: Vec<Vec<&str>> = text.lines().map(cells).collect();
        assert_eq!(lines[1], ["busy", "1,200", "3", "2", "4.1 ms", "12.0 ms", "14 MB", "1,007"]);
        assert_eq!(lines[2], ["idle", "0", "0", "0", "-", "-", "-", "-"]);
        assert_eq!(lines.len(), 3, "{text}");
    }

    #[test]
    fn a_mapping_with_a_problem_is_told_below() {
        let last_result = "PROBLEM: Function call failed: away".to_owned();
        let failing = MappingStatus { last_result, ..MappingStatus::default() };
        let reason = "EVENT_SOURCE_AUTHZ_ERROR: no".to_owned();
        let refused = MappingStatus { reason, last_result: "OK".into(), ..MappingStatus::default() };
        let text = table(&[], &[mapping("f", "a", failing), mapping("f", "b", refused)]);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["f.a: PROBLEM: Function call failed: away", "f.b: EVENT_SOURCE_AUTHZ_ERROR: no"]);
    }

    #[test]
    fn the_next_table_takes_the_place_of_the_one_before() {
        let (mut live, mut terminal) = (Live { lines: 0 }, Vec::new());
        live.write_to(&mut terminal, "a\nb\n").unwrap();
        live.write_to(&mut terminal, "c\n").unwrap();
        let drawn = String::from_utf8(terminal).unwrap();
        assert_eq!(drawn, "\x1b[?7la\nb\n\x1b[?7h\x1b[2F\x1b[J\x1b[?7lc\n\x1b[?7h");
    }
}
