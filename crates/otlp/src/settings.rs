use std::fmt;

use messaging::TraceContext;
use ureq::http::Uri;

/// Where a collector takes spans: `http://HOST:PORT`. Without it there are none. The variable's name is OpenTelemetry's, and so are those below.
pub const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Which of the traces that begin here are kept; those that came with a record are as their beginning has it.
pub const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
/// The share of them, 0 to 1.
pub const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";

/// All of these, for a process that we start.
pub const VARIABLES: [&str; 3] = [ENDPOINT, SAMPLER, SAMPLER_ARG];

const ALL: &str = "parentbased_always_on";
const RATIO: &str = "parentbased_traceidratio";

/// Where spans go, and of how many of the traces that begin here.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where they are posted.
    pub(crate) url: String,
    /// The share of traces that is kept, 0 to 1.
    ratio: f64,
}

/// Settings that do not serve, a line each: the variable, and what would serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongSettings(Vec<String>);

impl WrongSettings {
    /// The lines.
    pub fn into_lines(self) -> Vec<String> {
        self.0
    }
}

impl fmt::Display for WrongSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, are) = (self.0.len(), if self.0.len() == 1 { "setting is" } else { "settings are" });
        write!(f, "{count} {are} wrong\n  {}", self.0.join("\n  "))
    }
}

impl std::error::Error for WrongSettings {}

impl Settings {
    /// Reads [`ENDPOINT`], [`SAMPLER`] and [`SAMPLER_ARG`] through `variable`; an empty value is none. `None` where there is no endpoint.
    ///
    /// # Errors
    /// With every variable that does not serve.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, WrongSettings> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let Some(endpoint) = variable(ENDPOINT) else { return Ok(None) };
        let mut wrong = Vec::new();
        let url = url(&endpoint).map_err(|problem| wrong.push(format!("{ENDPOINT} {problem}")));
        let argument = variable(SAMPLER_ARG);
        let ratio = match (variable(SAMPLER).as_deref(), argument) {
            (None | Some(ALL), _) => 1.0, // the argument is the other sampler's
            (Some(RATIO), None) => 1.0,
            (Some(RATIO), Some(text)) => {
                let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
                ratio.unwrap_or_else(|| {
                    wrong.push(format!(
                        "{SAMPLER_ARG} found {text:?}, allowed 0 to 1, such as 0.01 for one trace in a hundred"
                    ));
                    1.0
                })
            }
            (Some(found), _) => {
                wrong.push(format!("{SAMPLER} found {found:?}, allowed {ALL} or {RATIO}"));
                1.0
            }
        };
        match url {
            Ok(url) if wrong.is_empty() => Ok(Some(Self { url, ratio })),
            _ => Err(WrongSettings(wrong)),
        }
    }

    /// Whether a trace that begins here is kept: decided by its id as OpenTelemetry's samplers do, so that all who have the same
    /// ratio decide alike.
    pub(crate) fn keeps(&self, context: TraceContext) -> bool {
        const HALF: u64 = 1 << 63;
        let bound = (self.ratio * HALF as f64) as u64;
        (context.trace_id().get() as u64) >> 1 < bound
    }
}

/// Where traces are posted, by the base that the endpoint is.
fn url(endpoint: &str) -> Result<String, String> {
    const ALLOWED: &str = "allowed http://HOST:PORT, such as http://localhost:4318";
    const PATH: &str = "/v1/traces";
    let Ok(uri) = endpoint.parse::<Uri>() else { return Err(format!("found {endpoint:?}, {ALLOWED}")) };
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(format!("has a user, who would be told to nobody; {ALLOWED}")); // his password is not shown
    }
    if uri.scheme_str() == Some("https") {
        return Err(format!(
            "found {endpoint:?}, {ALLOWED}: have a collector near take spans, and send them on with TLS"
        ));
    }
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    if uri.scheme_str() != Some("http") || !has_host || uri.query().is_some() {
        return Err(format!("found {endpoint:?}, {ALLOWED}"));
    }
    // To the parser a port that is none is not there.
    let has_port = |authority: &str| authority.rsplit(']').next().is_some_and(|behind_host| behind_host.contains(':'));
    if uri.port().is_none() && uri.authority().is_some_and(|authority| has_port(authority.as_str())) {
        return Err(format!("found {endpoint:?}, {ALLOWED}: a port is 1 to 65535"));
    }
    let base = endpoint.trim_end_matches('/');
    if base.ends_with(PATH) {
        return Err(format!("found {endpoint:?}, {ALLOWED}: {PATH} is put behind it"));
    }
    Ok(format!("{base}{PATH}"))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::from_environment(variable).map_err(|error| error.to_string())
    }

    fn settings(ratio: &str) -> Settings {
        read(&[(ENDPOINT, "http://c:4318"), (SAMPLER, RATIO), (SAMPLER_ARG, ratio)]).unwrap().unwrap()
    }

    #[test]
    fn without_an_endpoint_there_are_no_traces_whatever_else_is_set() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[(ENDPOINT, ""), (SAMPLER, "nonsense")]), Ok(None));
    }

    #[test]
    fn an_endpoint_is_the_base_of_where_traces_are_posted() {
        for (endpoint, url) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("http://[::1]:4318/otlp", "http://[::1]:4318/otlp/v1/traces"),
        ] {
            assert_eq!(read(&[(ENDPOINT, endpoint)]), Ok(Some(Settings { url: url.into(), ratio: 1.0 })));
        }
    }

    #[test]
    fn every_problem_is_told_at_once_with_what_would_serve() {
        let allowed = "allowed http://HOST:PORT, such as http://localhost:4318";
        for found in ["localhost:4318", "grpc://c:4317", "nonsense", "http://", "http://c:4318/?key=1", "http://a b"] {
            let expected = format!("1 setting is wrong\n  {ENDPOINT} found {found:?}, {allowed}");
            assert_eq!(read(&[(ENDPOINT, found)]), Err(expected));
        }
        for (found, why) in [
            ("http://c:99999", "a port is 1 to 65535"),
            ("http://[::1]:99999", "a port is 1 to 65535"),
            ("http://c:4318/v1/traces/", "/v1/traces is put behind it"),
        ] {
            let told = read(&[(ENDPOINT, found)]).unwrap_err();
            assert!(told.ends_with(&format!("found {found:?}, {allowed}: {why}")), "{told}");
        }
        assert_eq!(
            read(&[(ENDPOINT, "https://c"), (SAMPLER, RATIO), (SAMPLER_ARG, "1%")]),
            Err(format!(
                "2 settings are wrong\n  {ENDPOINT} found \"https://c\", {allowed}: have a collector near take spans, and send \
                 them on with TLS\n  {SAMPLER_ARG} found \"1%\", allowed 0 to 1, such as 0.01 for one trace in a hundred"
            ))
        );
        let sampler = read(&[(ENDPOINT, "http://c"), (SAMPLER, "always_on")]).unwrap_err();
        assert!(sampler.ends_with(&format!("{SAMPLER} found \"always_on\", allowed {ALL} or {RATIO}")), "{sampler}");
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_shown() {
        let refused = read(&[(ENDPOINT, "http://user:secret@c:4318")]).unwrap_err();
        assert!(refused.contains("has a user") && !refused.contains("secret"), "{refused}");
    }

    #[test]
    fn of_the_traces_that_begin_here_so_many_are_kept_and_always_the_same() {
        let of = |n: u32| TraceContext::of_order(Some(b"run"), &n.to_be_bytes(), NonZeroU64::MIN);
        let kept = |ratio: &str| (0..10_000).filter(|&n| settings(ratio).keeps(of(n))).collect::<Vec<_>>();
        assert_eq!((kept("1").len(), kept("0").len()), (10_000, 0));
        let (tenth, half) = (kept("0.1"), kept("0.5"));
        assert!((900..1_100).contains(&tenth.len()) && (4_800..5_200).contains(&half.len()));
        assert!(tenth.iter().all(|n| half.contains(n)), "who keeps more keeps those, too");
    }
}
