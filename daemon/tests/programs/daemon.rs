//! A built `rbgpd` that runs: its file, socket, state and log in a folder, its answers through the
//! built `rbgpctl`, and its end.
//!
//! What is in the file, and which network the daemon sees, is the test's.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A folder of its own for each test, removed with it.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(subject: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("rbgpd-{subject}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("state")).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The last part of the path, which no other place has.
    pub(crate) fn name(&self) -> &str {
        self.0.file_name().unwrap().to_str().unwrap()
    }

    /// A file in the state directory.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.0.join("state").join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A folder that is left over does no harm.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A process with `NAME.toml`, `NAME.socket` and `NAME.log` in a folder whose state directory it
/// may share with others. Killed when dropped.
pub(crate) struct Daemon {
    folder: PathBuf,
    name: String,
    namespace: Option<String>,
    child: Child,
}

impl Daemon {
    /// Starts it and waits for nothing.
    pub(crate) fn start(folder: &Path, name: &str, config: &str) -> Self {
        Self::start_in(None, folder, name, config)
    }

    /// The same in a network namespace with a name, or in the one of this thread.
    pub(crate) fn start_in(
        namespace: Option<&str>,
        folder: &Path,
        name: &str,
        config: &str,
    ) -> Self {
        fs::create_dir_all(folder.join("state")).unwrap();
        fs::write(folder.join(format!("{name}.toml")), config).unwrap();
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            child: spawn(namespace, folder, name),
        }
    }

    /// Starts it and waits until it runs.
    pub(crate) fn running(folder: &Path, name: &str, config: &str) -> Self {
        let daemon = Self::start(folder, name, config);
        daemon.until_logged("rbgpd runs");
        daemon
    }

    /// Another process in the place of one that has ended.
    pub(crate) fn again(&mut self) {
        self.child = spawn(self.namespace.as_deref(), &self.folder, &self.name);
        self.until_logged("rbgpd runs");
    }

    pub(crate) fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.pid()).unwrap();
        // SAFETY: no memory is involved; the child has not been waited for, so the number is its.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Waits for the end by itself or after a signal.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        until("the daemon ends", || {
            let status = self.child.try_wait().unwrap();
            status.ok_or_else(|| "it goes on running".to_owned())
        })
    }

    /// An orderly stop.
    pub(crate) fn stop(&mut self) {
        self.signal(libc::SIGTERM);
        assert_eq!(self.ended().code(), Some(0), "{}", self.log());
    }

    /// As after a crash.
    pub(crate) fn breaks_off(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What is in the configuration file.
    pub(crate) fn configuration(&self) -> String {
        fs::read_to_string(self.file("toml")).unwrap()
    }

    pub(crate) fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }

    /// A file in the state directory.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.folder.join("state").join(name)
    }

    /// Writes the configuration for the next reload or start.
    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.file("toml"), config).unwrap();
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap()
    }

    /// Lines of the log with a text in it.
    pub(crate) fn lines(&self, with: &str) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().filter(|line| line.contains(with));
        lines.map(str::to_owned).collect()
    }

    #[track_caller]
    pub(crate) fn until_logged(&self, text: &str) {
        until_text(text, || self.log(), |log| log.contains(text));
    }

    pub(crate) fn rbgpctl(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rbgpctl"))
            .arg("--socket")
            .arg(self.file("socket"))
            .args(arguments)
            .output()
            .unwrap()
    }

    /// The same with the words of a line.
    pub(crate) fn ctl(&self, line: &str) -> Output {
        self.rbgpctl(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// What a command says, however it ends.
    pub(crate) fn said(&self, line: &str) -> String {
        let output = self.ctl(line);
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    }

    /// What a command answers with `--json`.
    pub(crate) fn json(&self, line: &str) -> Value {
        let output = self.ctl(&format!("{line} --json"));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{line}: {error}\n{output:?}\n{}", self.log()))
    }

    /// Asks until the answer is as wanted.
    #[track_caller]
    pub(crate) fn until_said(&self, line: &str, wanted: impl Fn(&str) -> bool) -> String {
        until_text(line, || self.said(line), wanted)
    }

    /// Head and body of what the socket answers to an HTTP request.
    pub(crate) fn exchange(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(self.file("socket")).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(namespace: Option<&str>, folder: &Path, name: &str) -> Child {
    let program = env!("CARGO_BIN_EXE_rbgpd");
    let mut command = match namespace {
        None => Command::new(program),
        Some(namespace) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", namespace, program]);
            command
        }
    };
    command
        .arg("--config")
        .arg(folder.join(format!("{name}.toml")))
        .arg("--socket")
        .arg(folder.join(format!("{name}.socket")))
        .arg("--state-dir")
        .arg(folder.join("state"))
        .env_remove("RBGPD_LOG")
        .stdout(Stdio::null())
        .stderr(File::create(folder.join(format!("{name}.log"))).unwrap())
        .spawn()
        .unwrap()
}

/// Looks until there is something, else says what was seen last.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(
                Instant::now() < end,
                "not within {PATIENCE:?}: {what}:\n{seen}"
            ),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Looks until a text is as wanted.
#[track_caller]
pub(crate) fn until_text(
    what: &str,
    text: impl Fn() -> String,
    wanted: impl Fn(&str) -> bool,
) -> String {
    until(what, || {
        let now = text();
        if wanted(&now) { Ok(now) } else { Err(now) }
    })
}
