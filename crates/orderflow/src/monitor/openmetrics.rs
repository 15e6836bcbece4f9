//! The text in which workers tell what they count, as far as they write it: series with labels and a value.

use std::collections::BTreeMap;

/// One series at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

/// All series of a text.
///
/// # Errors
/// The first line that is none, by its number.
pub(super) fn parse(text: &str) -> Result<Vec<Series>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let series = lines.map(|(index, line)| series(line).ok_or_else(|| format!("line {} is no metric", index + 1)));
    series.collect()
}

/// `NAME{LABEL="VALUE",..} NUMBER`, and a time or an example behind it, at which nobody looks.
fn series(line: &str) -> Option<Series> {
    let end = line.find(|letter: char| !is_of_name(letter)).filter(|&end| end > 0)?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let value = rest.strip_prefix(' ')?.split(' ').next()?.parse().ok()?;
    Some(Series { name: name.to_owned(), labels, value })
}

/// The labels up to the brace, and what stands behind it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, behind) = rest.split_once("=\"")?;
        if name.is_empty() || !name.chars().all(is_of_name) {
            return None;
        }
        let (value, behind) = quoted(behind)?;
        labels.insert(name.to_owned(), value);
        rest = behind.strip_prefix(',').unwrap_or(behind);
    }
}

/// A value up to its closing quote, and what stands behind that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                escaped => escaped,
            }),
            letter => value.push(letter),
        }
    }
    None
}

const fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, labels: &[(&str, &str)], value: f64) -> Series {
        let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Series { name: name.into(), labels, value }
    }

    #[test]
    fn a_series_has_a_name_labels_and_a_value() {
        let text = "# TYPE up gauge\nup 1\nup{} 2.5\nup{a=\"b\",c=\"d\"} -3e2 1700000000\nup{le=\"+Inf\"} 4 # {id=\"7\"} 1\n# EOF\n";
        let expected = [
            one("up", &[], 1.0),
            one("up", &[], 2.5),
            one("up", &[("a", "b"), ("c", "d")], -300.0),
            one("up", &[("le", "+Inf")], 4.0),
        ];
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn a_value_may_hold_what_ends_others() {
        let expected = one("up", &[("a", "} \"x\", \\ \n")], 1.0);
        assert_eq!(parse("up{a=\"} \\\"x\\\", \\\\ \\n\"} 1").unwrap(), [expected]);
    }

    #[test]
    fn what_is_no_metric_is_told_by_its_line() {
        for line in
            ["up", "up ", "up one", "{a=\"b\"} 1", "up{a=\"b\" 1", "up{a=b} 1", "up{a=\"b} 1", "<html>", "up{=\"\"} 1"]
        {
            assert_eq!(parse(&format!("up 1\n{line}\n")).unwrap_err(), "line 2 is no metric", "{line}");
        }
    }

    #[test]
    fn a_line_that_breaks_off_anywhere_is_read_or_refused() {
        let line = "up{a=\"größe \\\" \",le=\"+Inf\"} 4.25 # {id=\"7\"} 1";
        assert!(parse(line).is_ok());
        let cuts = line.char_indices().map(|(cut, _)| &line[..cut]);
        let refused = cuts.filter(|cut| parse(cut).is_err()).count();
        assert_eq!(
            refused,
            "up{a=\"größe \\\" \",le=\"+Inf\"} ".chars().count(),
            "all that end before the value, but nothing at all"
        );
    }
}
