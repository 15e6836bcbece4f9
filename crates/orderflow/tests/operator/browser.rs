use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::Request;

use crate::until::until_or_told;

/// Chromium without a screen, driven as a person would drive it. It ends with the test, whatever happens.
pub(crate) struct Browser {
    driver: Child,
    session: Session,
    /// Held, because who writes to a pipe without an end dies of it.
    _said: Lines<BufReader<ChildStdout>>,
    _folder: TempDir,
}

/// Whether a person has chosen light on dark.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

impl Browser {
    pub(crate) fn start(scheme: Scheme) -> Self {
        let folder = TempDir::new().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0) // its browser is in it, too
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver: {error}; `ci/test operator` installs it"));
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            line.ok()?.split_once(" successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
        });
        let colours = if matches!(scheme, Scheme::Dark) { "preferredColorScheme=0" } else { "preferredColorScheme=1" };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &format!("--blink-settings={colours}"),
        ];
        let options = json!({ "goog:chromeOptions": { "args": arguments }, "goog:loggingPrefs": { "browser": "ALL" } });
        match port.ok_or_else(|| "it names no port".to_owned()).and_then(|port| Session::begin(port, &options)) {
            Ok(session) => Self { driver, session, _said: lines, _folder: folder },
            Err(reason) => {
                let _ = driver.kill();
                let _ = driver.wait();
                panic!("chromedriver: {reason}");
            }
        }
    }

    pub(crate) fn open(&self, address: &str) {
        self.session.post("/url", json!({ "url": address })).unwrap();
    }

    /// As wide and high as this.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.session.post("/window/rect", json!({ "width": width, "height": height })).unwrap();
    }

    /// Clicks on what is shown there, as soon as it is.
    #[track_caller]
    pub(crate) fn click(&self, css: &str) {
        self.await_true(&format!("{css} to click on"), |browser| {
            let found = browser.session.post("/element", json!({ "using": "css selector", "value": css }));
            found.and_then(|element| browser.session.of(&element, "click", json!({}))).is_ok()
        });
    }

    /// Types into whatever has the focus.
    pub(crate) fn press(&self, keys: &str) {
        let element = self.session.get("/element/active").unwrap();
        self.session.of(&element, "value", json!({ "text": keys })).unwrap();
    }

    /// What a script of the test's says, which looks and changes nothing.
    #[track_caller]
    pub(crate) fn look(&self, script: &str) -> Value {
        let asked = json!({ "script": script, "args": [] });
        self.session.post("/execute/sync", asked).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The text that is shown there; empty where there is none.
    #[track_caller]
    pub(crate) fn text(&self, css: &str) -> String {
        let texts =
            self.look(&format!("return [...document.querySelectorAll({css:?})].map(one => one.innerText).join('\\n')"));
        texts.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until what is shown there is so.
    #[track_caller]
    pub(crate) fn await_text(&self, css: &str, is_so: impl Fn(&str) -> bool) {
        self.await_true(&format!("{css} to say what is awaited"), |browser| is_so(&browser.text(css)));
    }

    #[track_caller]
    fn await_true(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        until_or_told(what, || is_so(self), || format!("; the page says\n{}", self.text("body")));
    }

    /// A picture of what is shown, for the documents: where `ORDERFLOW_SCREENSHOTS` names a folder.
    pub(crate) fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("ORDERFLOW_SCREENSHOTS") else { return };
        let png = self.session.get("/screenshot").unwrap();
        let png = BASE64_STANDARD.decode(png.as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(name), png).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.session.end();
        // Also a browser that hears nobody any more.
        let _ = killpg(Pid::from_raw(self.driver.id().cast_signed()), Signal::SIGKILL);
        let _ = self.driver.wait();
    }
}

/// A session of WebDriver's protocol (<https://www.w3.org/TR/webdriver2/>), of which these tests need a few lines.
struct Session {
    address: String,
}

/// What an element is called by, in each answer that names one.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

const ANSWER_WITHIN: Duration = Duration::from_secs(60);

impl Session {
    fn begin(port: u16, options: &Value) -> Result<Self, String> {
        let driver = Self { address: format!("http://127.0.0.1:{port}/session") };
        let begun = driver.post("", json!({ "capabilities": { "alwaysMatch": options } }))?;
        let id = begun["sessionId"].as_str().ok_or_else(|| format!("no session: {begun}"))?;
        Ok(Self { address: format!("{}/{id}", driver.address) })
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        self.ask("GET", path, String::new())
    }

    fn post(&self, path: &str, what: Value) -> Result<Value, String> {
        self.ask("POST", path, what.to_string())
    }

    /// Something to do with an element of an answer.
    fn of(&self, element: &Value, verb: &str, what: Value) -> Result<Value, String> {
        let id = element[ELEMENT].as_str().ok_or_else(|| format!("no element: {element}"))?;
        self.post(&format!("/element/{id}/{verb}"), what)
    }

    fn end(&self) -> Result<Value, String> {
        self.ask("DELETE", "", String::new())
    }

    fn ask(&self, method: &str, path: &str, body: String) -> Result<Value, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{method} {path}: {error}");
        let agent = ureq::Agent::config_builder().proxy(None).timeout_global(Some(ANSWER_WITHIN));
        let agent = agent.http_status_as_error(false).allow_non_standard_methods(true).build().new_agent();
        let request = Request::builder().method(method).uri(self.address.clone() + path);
        let request = request.header("Content-Type", "application/json").body(body).map_err(|error| failed(&error))?;
        let mut response = agent.run(request).map_err(|error| failed(&error))?;
        let text = response.body_mut().read_to_string().map_err(|error| failed(&error))?;
        let mut answer: Value = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        let value = answer["value"].take();
        if response.status().is_success() { Ok(value) } else { Err(failed(&value)) }
    }
}
