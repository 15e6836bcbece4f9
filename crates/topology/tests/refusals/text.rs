//! What no reader of JSON should take: text that is no JSON, and keys that stand twice.

use super::{error_of, valid};

#[test]
fn text_that_is_no_json_is_refused_with_line_and_column() {
    for (text, expected) in [
        ("", "line 1, column 0: no valid JSON: EOF while parsing a value"),
        ("{\n  \"topics\" 1}", "line 2, column 12: no valid JSON: expected `:`"),
        ("{} {}", "line 1, column 4: no valid JSON: trailing characters"),
    ] {
        assert_eq!(error_of(text), expected);
    }
}

#[test]
fn nesting_is_limited() {
    let message = error_of(&"[".repeat(200));
    assert_eq!(message, "line 1, column 128: no valid JSON: recursion limit exceeded");
}

#[test]
fn a_key_that_stands_twice_is_refused_at_any_depth() {
    let text = valid().to_string();
    for (find, replace, expected) in [
        (r#""topics":"#, r#""topics":{},"topics":"#, "top level: key `topics`"),
        (
            r#""success_percent":90"#,
            r#""success_percent":90,"success_percent":9"#,
            "services.payer.settings: key `success_percent`",
        ),
        (r#""topic":"paid""#, r#""topic":"paid","topic":7"#, "services.mailer.consumes[0]: key `topic`"),
        (
            r#""mailer.paid.dead_letter":{"#,
            r#""mailer.paid.dead_letter":{"partitions":3,"#,
            r#"topics["mailer.paid.dead_letter"]: key `partitions`"#,
        ),
    ] {
        let repeated = text.replacen(find, replace, 1);
        assert_eq!(error_of(&repeated), format!("{expected} stands twice; keep one of them"));
    }
}
