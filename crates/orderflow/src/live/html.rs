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
