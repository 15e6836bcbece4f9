//! As whom `aws` and Terraform would speak to AWS, as far as this machine knows. AWS itself is not asked.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::Value;

use super::super::Finding;

const WHAT: &str = "AWS";
const KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";
const PROFILE: &str = "AWS_PROFILE";
const EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";

/// A section's settings, by name.
type Section = BTreeMap<String, String>;

/// What this machine knows.
struct Known<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    /// The sections of both files together; `profile NAME` is there as `NAME`.
    sections: BTreeMap<String, Section>,
    /// What signing in has left behind.
    tokens: Vec<Value>,
    now: SystemTime,
}

pub(super) fn look() -> Finding {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let folder = variable("HOME").map_or_else(PathBuf::new, PathBuf::from).join(".aws");
    let file = |name: &str, otherwise: &str| {
        let path = variable(name).map_or_else(|| folder.join(otherwise), PathBuf::from);
        fs::read_to_string(path).unwrap_or_default()
    };
    let mut sections = sections(&file("AWS_CONFIG_FILE", "config"));
    for (name, settings) in self::sections(&file("AWS_SHARED_CREDENTIALS_FILE", "credentials")) {
        sections.entry(name).or_default().extend(settings);
    }
    let cached = folder.join("sso/cache").read_dir().into_iter().flatten().filter_map(Result::ok);
    let tokens = cached.filter_map(|file| serde_json::from_slice(&fs::read(file.path()).ok()?).ok()).collect();
    Known { variable: &variable, sections, tokens, now: SystemTime::now() }.judge()
}

impl Known<'_> {
    fn judge(&self) -> Finding {
        let set = |name| (self.variable)(name);
        match (set(KEY), set(SECRET)) {
            (Some(key), Some(_)) => self.of_environment(&key),
            (Some(_), None) => Finding::wrong(WHAT, format!("{KEY} is set without {SECRET}"), "set both, or neither"),
            (None, Some(_)) => Finding::wrong(WHAT, format!("{SECRET} is set without {KEY}"), "set both, or neither"),
            (None, None) => self.of_profile(),
        }
    }

    fn of_environment(&self, key: &str) -> Finding {
        // What AWS gives for a while begins so, and is nothing without its token.
        if key.starts_with("ASIA") && (self.variable)(TOKEN).is_none() {
            return Finding::wrong(
                WHAT,
                format!("{KEY} is one for a while, and {TOKEN} is not set"),
                format!("set {TOKEN}, too"),
            );
        }
        if let Some(since) = (self.variable)(EXPIRATION).filter(|text| self.is_over(text)) {
            return Finding::warning(
                WHAT,
                format!("the keys of the environment expired at {since}"),
                "take new ones before `deploy`",
            );
        }
        match (self.variable)(PROFILE) {
            Some(profile) => Finding::warning(
                WHAT,
                format!("the keys of the environment, although {PROFILE} names {profile}"),
                format!("unset {KEY}, {SECRET} and {TOKEN} if you mean the profile"),
            ),
            None => Finding::ok(WHAT, "the keys of the environment; AWS was not asked whether it knows them"),
        }
    }

    fn of_profile(&self) -> Finding {
        let named = (self.variable)(PROFILE).or_else(|| (self.variable)("AWS_DEFAULT_PROFILE"));
        let name = named.as_deref().unwrap_or("default");
        let Some(profile) = self.sections.get(name) else {
            return match named {
                Some(name) => Finding::wrong(
                    WHAT,
                    format!("{PROFILE} names {name}, and there is no such profile"),
                    "`aws configure list-profiles` lists them",
                ),
                None => Finding::warning(
                    WHAT,
                    "no keys and no profile",
                    format!("for deploy and destroy: `aws configure`, or set {KEY} and {SECRET}"),
                ),
            };
        };
        let expired = |since: &str| {
            let to_do = format!("sign in anew before `deploy`, as by `aws sso login --profile {name}`");
            Finding::warning(WHAT, format!("profile {name}, which expired at {since}"), to_do)
        };
        let stated =
            ["aws_expiration", "x_security_token_expires", "expiration"].iter().find_map(|key| profile.get(*key));
        if let Some(since) = stated.filter(|text| self.is_over(text)) {
            return expired(since);
        }
        match self.start_url(profile) {
            Some(url) => match self.newest_token(url) {
                None => Finding::warning(
                    WHAT,
                    format!("profile {name}, and nobody has signed in"),
                    format!("`aws sso login --profile {name}` before `deploy`"),
                ),
                Some(until) if self.is_over(until) => expired(until),
                Some(until) => Finding::ok(WHAT, format!("profile {name}, signed in until {until}")),
            },
            None => Finding::ok(WHAT, format!("profile {name}; AWS was not asked whether it knows it")),
        }
    }

    /// Where one signs in for a profile.
    fn start_url<'a>(&'a self, profile: &'a Section) -> Option<&'a str> {
        let session = profile.get("sso_session").and_then(|name| self.sections.get(&format!("sso-session {name}")));
        session
            .and_then(|session| session.get("sso_start_url"))
            .or_else(|| profile.get("sso_start_url"))
            .map(String::as_str)
    }

    /// Until when whoever signed in there last is.
    fn newest_token(&self, url: &str) -> Option<&str> {
        let here = self.tokens.iter().filter(|token| token["startUrl"] == url && token["accessToken"].is_string());
        here.filter_map(|token| token["expiresAt"].as_str()).max()
    }

    /// Whether a time has passed; one that nobody can read has not.
    fn is_over(&self, text: &str) -> bool {
        let text =
            text.trim_end_matches("+00:00").trim_end_matches("+0000").trim_end_matches("UTC").trim_end_matches('Z');
        humantime::parse_rfc3339_weak(text).is_ok_and(|until| until <= self.now)
    }
}

/// The sections of a file as AWS has them; those of one line in another one (`s3 =` and what is below) say nothing here.
fn sections(text: &str) -> BTreeMap<String, Section> {
    let mut sections = BTreeMap::<String, Section>::new();
    let mut name = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';'])) {
        if let Some(title) = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name = title.trim().strip_prefix("profile ").unwrap_or(title).trim().to_owned();
            sections.entry(name.clone()).or_default();
        } else if let (false, Some((key, value))) = (line.starts_with([' ', '\t']), line.split_once('=')) {
            sections.entry(name.clone()).or_default().insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::Level;
    use super::*;

    const CONFIG: &str = "[default]\nregion = us-east-1\n[profile old]\naws_expiration = 2026-01-01T00:00:00Z\n\
        [profile company]\nsso_session = ours\nsso_account_id = 1\n[sso-session ours]\nsso_start_url = https://ours.example/start\n\
        [profile other]\nsso_start_url=https://other.example/start\n";

    /// What is found with these variables, at noon of the first of February.
    fn judge(variables: &[(&str, &str)], config: &str) -> Finding {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let token = |until: &str| json!({"startUrl": "https://ours.example/start", "accessToken": "secret", "expiresAt": until});
        let now = humantime::parse_rfc3339("2026-02-01T12:00:00Z").unwrap();
        let tokens = vec![token("2026-01-31T10:00:00Z"), token("2026-02-01T20:00:00Z"), json!({"clientId": "x"})];
        Known { variable: &variable, sections: sections(config), tokens, now }.judge()
    }

    #[track_caller]
    fn check(variables: &[(&str, &str)], level: Level, found: &str) {
        let finding = judge(variables, CONFIG);
        assert_eq!((finding.level, finding.found.as_str()), (level, found));
        assert!(!format!("{finding:?}").contains("secret"), "{finding:?}");
    }

    #[test]
    fn keys_of_the_environment_go_before_a_profile() {
        let keys = [(KEY, "AKIA1"), (SECRET, "secret")];
        check(&keys, Level::Ok, "the keys of the environment; AWS was not asked whether it knows them");
        let both = [&keys[..], &[(PROFILE, "company")]].concat();
        check(&both, Level::Warning, "the keys of the environment, although AWS_PROFILE names company");
        let expired = [&keys[..], &[(EXPIRATION, "2026-02-01T11:59:59+00:00")]].concat();
        check(&expired, Level::Warning, "the keys of the environment expired at 2026-02-01T11:59:59+00:00");
    }

    #[test]
    fn half_of_the_keys_are_wrong() {
        check(&[(KEY, "AKIA1")], Level::Wrong, "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY");
        check(&[(SECRET, "secret")], Level::Wrong, "AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID");
        let temporary = [(KEY, "ASIA1"), (SECRET, "secret")];
        check(&temporary, Level::Wrong, "AWS_ACCESS_KEY_ID is one for a while, and AWS_SESSION_TOKEN is not set");
    }

    #[test]
    fn a_profile_is_told_with_how_long_it_serves() {
        check(&[], Level::Ok, "profile default; AWS was not asked whether it knows it");
        check(&[(PROFILE, "company")], Level::Ok, "profile company, signed in until 2026-02-01T20:00:00Z");
        check(&[(PROFILE, "other")], Level::Warning, "profile other, and nobody has signed in");
        check(&[(PROFILE, "old")], Level::Warning, "profile old, which expired at 2026-01-01T00:00:00Z");
        check(&[(PROFILE, "nobody")], Level::Wrong, "AWS_PROFILE names nobody, and there is no such profile");
        assert_eq!(judge(&[], "").level, Level::Warning);
    }
}
