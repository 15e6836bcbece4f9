use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::until::until_or_told;

/// Chromium without a screen, driven as a person would drive it. It ends with the test, whatever happens.
pub(crate) struct Browser {
    driver: Child,
    runtime: Runtime,
    client: Client,
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
        let Value::Object(capabilities) = options else { unreachable!("it is one") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let address = port.map(|port| format!("http://127.0.0.1:{port}"));
        let client = address.map(|address| runtime.block_on(builder.connect(&address)));
        match client {
            Some(Ok(client)) => Self { driver, runtime, client, _said: lines, _folder: folder },
            other => {
                let _ = driver.kill();
                let _ = driver.wait();
                panic!("chromedriver: {:?}", other.map(Result::err));
            }
        }
    }

    pub(crate) fn open(&self, address: &str) {
        self.runtime.block_on(self.client.goto(address)).unwrap();
    }

    /// As wide and high as this.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.runtime.block_on(self.client.set_window_size(width, height)).unwrap();
    }

    /// Clicks on what is shown there, as soon as it is.
    #[track_caller]
    pub(crate) fn click(&self, css: &str) {
        self.await_true(&format!("{css} to click on"), |browser| {
            let click = async { browser.client.find(Locator::Css(css)).await?.click().await };
            browser.runtime.block_on(click).is_ok()
        });
    }

    /// Types into whatever has the focus.
    pub(crate) fn press(&self, keys: &str) {
        let press = async { self.client.active_element().await?.send_keys(keys).await };
        self.runtime.block_on(press).unwrap();
    }

    /// What a script of the test's says, which looks and changes nothing.
    #[track_caller]
    pub(crate) fn look(&self, script: &str) -> Value {
        self.runtime
            .block_on(self.client.execute(script, Vec::new()))
            .unwrap_or_else(|error| panic!("{script}: {error}"))
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
        let png = self.runtime.block_on(self.client.screenshot()).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(name), png).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.client.clone().close());
        // Also a browser that hears nobody any more.
        let _ = killpg(Pid::from_raw(self.driver.id().cast_signed()), Signal::SIGKILL);
        let _ = self.driver.wait();
    }
}
