use super::*;

fn page(parts: Vec<Part>) -> Page {
    Page {
        origin: "orderflow run shop".into(),
        title: "1 order".into(),
        holds: true,
        verdict: vec!["Each came to its end.".into()],
        figures: vec![Figure { value: "1".into(), unit: "order", name: "came to its end" }],
        facts: Vec::new(),
        sections: vec![Section { heading: "All of it", parts }],
    }
}

/// What others have written, as hostile as it may come.
fn hostile() -> String {
    format!("</title></style><script>alert(1)</script>\u{202e}\"'&{}", "x".repeat(1_000_000))
}

#[test]
fn what_others_have_written_is_escaped_and_short() {
    let columns = || vec![Column::Words("Topic"), Column::Numbers("Records")];
    let incident = Incident { from_s: 0.0, to_s: 1.0, what: hostile() };
    let mut page = page(vec![
        Part::Faults(vec![hostile()]),
        Part::Table(Table { columns: columns(), rows: vec![Row::of([hostile(), hostile()])] }),
        Part::Incidents(Incidents { end_s: 1.0, rows: vec![("Given up".to_owned(), vec![incident])] }),
    ]);
    (page.title, page.origin, page.facts) = (hostile(), hostile(), vec![("Run", hostile())]);
    let html = page.html();
    assert!(!html.contains("<script") && !html.contains('\u{202e}'), "{html}");
    assert_eq!(html.matches("</title>").count() + html.matches("</style>").count(), 3, "{html}"); // with a tooltip's
    assert!(html.contains("&lt;script&gt;") && html.len() < 30_000, "{} bytes", html.len());
}

#[test]
fn a_command_is_shown_whole_and_escaped() {
    let command = format!("orderflow run --input '<b>{}'", "x".repeat(300));
    assert!(
        page(vec![Part::Command(command.clone())]).html().contains(&command.replace('<', "&lt;").replace('>', "&gt;"))
    );
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let html = page(Vec::new()).html();
    assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""), "{html}");
    for foreign in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!html.contains(foreign), "{foreign} in {html}");
    }
}

#[test]
fn whether_it_holds_is_said_in_a_word() {
    assert!(page(Vec::new()).html().contains("✓ Passed"));
    assert!(Page { holds: false, ..page(Vec::new()) }.html().contains("✗ Failed"));
}

#[test]
fn a_chart_says_its_numbers_to_who_does_not_see_it_and_to_who_points_at_it() {
    let points = vec![(0.5, Some(1_000.0)), (1.5, None), (2.5, Some(3_000.0))];
    let course = Course {
        title: "Throughput",
        unit: "orders a second",
        end_s: 3.0,
        is_logarithmic: false,
        lines: vec![Line { name: "ended", stroke: Stroke::Main, points }],
        strikes: vec![1.5],
        in_words: "2,000 orders a second on average".into(),
    };
    let html = page(vec![Part::Course(course)]).html();
    assert!(html.contains(r#"role="img" aria-label="2,000 orders a second on average""#), "{html}");
    assert!(html.contains("<title>0.5 s, ended 1,000</title>") && html.contains("<title>1.5 s</title>"), "{html}");
}
