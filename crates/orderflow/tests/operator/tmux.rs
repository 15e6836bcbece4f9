use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use kafka_transport::{BROKERS, CA_FILE, CA_PEM, PASSWORD, USERNAME};
use tempfile::TempDir;

use crate::until;
use crate::until::until_or_told;

/// A terminal of 80x24 with a shell that finds `orderflow`, in a tmux of its own: no other one is touched, and it ends with the test.
pub(crate) struct Tmux {
    server: Child,
    folder: TempDir,
}

impl Tmux {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        // In the foreground: it has this process for a parent, and is not left behind as a daemon.
        let mut server = tmux(folder.path());
        let server = server.args(["-D"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = server.unwrap_or_else(|error| panic!("tmux: {error}; `ci/test operator` installs it"));
        let tmux = Self { server, folder };
        let shell = "bash --noprofile --norc";
        until("tmux is there", || tmux.call(&["new-session", "-d", "-x", "80", "-y", "24", shell]).status.success());
        tmux.await_shown("$");
        tmux
    }

    /// Types a line.
    pub(crate) fn enter(&self, line: &str) {
        self.told(&["send-keys", "-l", line]);
        self.press(&["Enter"]);
    }

    /// Presses keys, by tmux's names for them.
    pub(crate) fn press(&self, keys: &[&str]) {
        self.told(&[&["send-keys"], keys].concat());
    }

    pub(crate) fn resize(&self, columns: u16, lines: u16) {
        self.told(&["resize-window", "-x", &columns.to_string(), "-y", &lines.to_string()]);
    }

    /// What stands on it now.
    pub(crate) fn screen(&self) -> String {
        self.told(&["capture-pane", "-p"])
    }

    /// Whether the screen is the one that programs have for themselves, rather than the shell's.
    pub(crate) fn is_taken_over(&self) -> bool {
        self.told(&["display-message", "-p", "#{alternate_on}"]).trim() == "1"
    }

    /// Waits until this stands on it.
    #[track_caller]
    pub(crate) fn await_shown(&self, text: &str) {
        self.await_screen(text, |screen| screen.contains(text));
    }

    /// Waits until what stands on it is so; what it shows instead is told.
    #[track_caller]
    pub(crate) fn await_screen(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        until_or_told(what, || is_so(&self.screen()), || format!("; the screen shows\n{}", self.screen()));
    }

    fn told(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.call(arguments);
        assert!(status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    fn call(&self, arguments: &[&str]) -> Output {
        // -N: were the server gone, a new one would outlive the test.
        tmux(self.folder.path()).arg("-N").args(arguments).output().unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // With the server its terminals end, and with them what runs there.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// tmux with a socket in this folder, and nothing of what is set where the tests run.
fn tmux(folder: &Path) -> Command {
    let mut tmux = Command::new("tmux");
    let program = Path::new(env!("CARGO_BIN_EXE_orderflow"));
    let path = std::env::var("PATH").unwrap_or_default();
    for name in ["TMUX", "TMUX_PANE", "NO_COLOR", "PROMPT_COMMAND", BROKERS, USERNAME, PASSWORD, CA_FILE, CA_PEM] {
        tmux.env_remove(name);
    }
    tmux.env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
        .envs([("LC_ALL", "C.UTF-8"), ("TERM", "xterm-256color"), ("PS1", "$ "), ("SHELL", "/bin/sh")])
        .current_dir(folder)
        .args(["-u", "-f", "/dev/null", "-S"])
        .arg(folder.join("tmux"));
    tmux
}
