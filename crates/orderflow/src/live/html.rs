use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::Value;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// The page, one file with all that it needs.
pub(super) struct Html {
    text: String,
    policy: String,
}

impl Html {
    /// With the picture that it draws.
    pub(super) fn new(picture: &Value) -> Self {
        // Within a script `<` may end it; in JSON its number says the same.
        let picture = picture.to_string().replace('<', "\\u003c");
        let text = PAGE.replace("{style}", STYLE).replace("{script}", SCRIPT).replace("{picture}", &picture);
        // Our own style and script alone, whatever stands in the records that are shown.
        let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, text.as_bytes())));
        let policy = format!(
            "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash(STYLE),
            hash(SCRIPT)
        );
        Self { text, policy }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn policy(&self) -> &str {
        &self.policy
    }
}

#[cfg(test)]
mod tests {
    use ::topology::Topology;
    use serde_json::json;

    use super::*;
    use crate::live::picture;

    #[test]
    fn the_page_asks_nobody_else_for_anything_and_has_a_tenth_of_a_megabyte_at_most() {
        let html = Html::new(&picture::of(&Topology::built_in().unwrap(), None));
        assert!(html.text().len() < 100_000, "{}", html.text().len());
        for foreign in ["https://", "src=", "@import", "url(", "innerHTML", "insertAdjacentHTML", "eval("] {
            assert!(!html.text().contains(foreign), "{foreign}");
        }
        let without_svg = html.text().replace("'http://www.w3.org/2000/svg'", "");
        assert!(!without_svg.contains("http://"));
    }

    #[test]
    fn only_the_style_and_the_script_that_stand_in_it_may_be_used() {
        let html = Html::new(&json!([]));
        for (begin, end, kind) in [("<style>", "</style>", "style-src"), ("<script>", "</script>", "script-src")] {
            let text = html.text().split_once(begin).unwrap().1.split_once(end).unwrap().0;
            let hash = STANDARD.encode(digest(&SHA256, text.as_bytes()));
            assert!(html.policy().contains(&format!("{kind} 'sha256-{hash}';")), "{kind}");
        }
    }

    #[test]
    fn a_name_does_not_end_the_script_that_it_stands_in() {
        let html = Html::new(&json!([{ "system": "</script><b>" }]));
        assert!(html.text().contains(r#"{"system":"\u003c/script>\u003cb>"}"#));
    }
}
