//! User-mode Linux: a kernel that runs as a program, for labs that ask more of the kernel than this
//! machine's has (VRFs, bridges with VLAN filtering, dummy devices).
//!
//! ```text
//! this machine                                     guest: one processor, boots in a second
//!  test ──► run_this_test ──► start.sh ──► kernel    root: the machine's files under an overlay
//!                 │                                  /run, /tmp: fresh; programs: at their own path
//!                 └── exchange folder ◄──────────►   the same test again, --exact
//! ```
//!
//! A scenario that names such a requirement ([`Requirement::Vrf`](super::Requirement::Vrf) and its
//! like) is written as any other. [`scenario`](super::scenario()) finds out that the kernel lacks it
//! and has the test that asked run once more, alone, in a guest; there the kernel has it. Where no
//! guest can be had the scenario is skipped and counted.
//!
//! The guest reads and writes files with the rights of its process, which is root's: `start.sh`
//! mounts all it sees read-only, but for the exchange folder. What it writes elsewhere is gone with
//! it. It has no network card. It ends with the test, however that ends. A guest has one processor,
//! and no more of them run at a time than this machine has.
//!
//! What user-mode Linux lacks as well, WireGuard, is in the kernel of an emulated machine
//! ([`Machine::Emulated`]), which is used the same way and is some ten times slower.
//!
//! It does not fetch anything (`conformance/setup.sh --test` and `--vm` do) and keeps no guest alive for the
//! next test.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Error, Lab, Process, ROOT, skip, wait_until};

/// What a guest runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// User-mode Linux, a program like others.
    UserMode,
    /// qemu, with a kernel of Debian's.
    Emulated,
}

impl Machine {
    /// Where `conformance/setup.sh` unpacks kernel and libraries.
    fn tree(self) -> &'static str {
        match self {
            Self::UserMode => "/var/cache/rbgpd-bench/uml",
            Self::Emulated => "/var/cache/rbgpd-bench/vm",
        }
    }

    /// What starts it, and its first process.
    fn scripts(self) -> [&'static str; 2] {
        match self {
            Self::UserMode => [
                include_str!("../../uml/start.sh"),
                include_str!("../../uml/init.sh"),
            ],
            Self::Emulated => [
                include_str!("../../vm/start.sh"),
                include_str!("../../vm/init.sh"),
            ],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::UserMode => "user-mode Linux",
            Self::Emulated => "an emulated machine",
        }
    }

    /// A lab is a matter of seconds; a guest on a busy machine gets many of them.
    fn limit(self) -> Duration {
        match self {
            Self::UserMode => Duration::from_secs(300),
            Self::Emulated => Duration::from_secs(900),
        }
    }

    /// Why there are no guests of this kind here, if so.
    pub fn absent(self) -> Option<String> {
        let option = match self {
            Self::UserMode => "--test",
            Self::Emulated => "--vm",
        };
        let name = self.name();
        let asked = self == Self::UserMode || std::env::var_os(EMULATE).is_some();
        match () {
            () if inside() => Some("there is no guest within a guest".to_owned()),
            () if !asked => Some(format!("{name} takes minutes: `make test-vm` runs it")),
            () if !nix::unistd::geteuid().is_root() => Some(format!("{name} needs root")),
            () if !Path::new(self.tree()).join("exchange").is_dir() => Some(format!(
                "{name} is not there (conformance/setup.sh {option})"
            )),
            () => None,
        }
    }
}

/// Set by `make test-vm`: without it nobody waits for an emulated machine.
const EMULATE: &str = "RBGPD_TEST_VM";

/// Set in a guest.
const INSIDE: &str = "RBGPD_UML";

/// Several FRRs, daemons with debug information and what they write.
const MEMORY: &str = "2G";

/// What a program in a guest left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// Exit code.
    pub code: i32,
    /// What it wrote to both streams.
    pub output: String,
}

/// Why there is no user-mode Linux on this machine, if so.
pub fn absent() -> Option<String> {
    Machine::UserMode.absent()
}

/// Whether this program runs in a guest.
pub fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs a program of the build in user-mode Linux and says how it ended; `tell` is given what the
/// program writes as it comes.
///
/// The folder of the build and this program's environment are there, too.
pub fn run(
    lab: &Lab,
    program: &Path,
    arguments: &[OsString],
    tell: impl FnMut(&str),
) -> Result<Ended, Error> {
    run_on(Machine::UserMode, lab, (program, arguments), tell)
}

fn run_on(
    machine: Machine,
    lab: &Lab,
    (program, arguments): (&Path, &[OsString]),
    mut tell: impl FnMut(&str),
) -> Result<Ended, Error> {
    let _turn = turn()?;
    let [start, init] = machine.scripts();
    let exchange = lab.folder("uml")?;
    let programs = build_folder(program);
    let write = |name: &str, text: &str| {
        let path = exchange.join(name);
        fs::write(&path, text).map_err(|e| Error::io(path.display(), e))
    };
    lab.folder("uml/logs")?;
    write("init.sh", init)?;
    write("start.sh", start)?;
    write("programs", &programs.display().to_string())?;
    mode(&exchange.join("init.sh"), 0o755)?;
    // An environment may have secrets.
    let command_file = exchange.join("command.sh");
    write("command.sh", "")?;
    mode(&command_file, 0o600)?;
    write("command.sh", &command_text(program, arguments))?;

    // Killed with the thread that waits for it, and everything in it with its first process.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid"]);
    command.args(["--fork", "--kill-child", "--propagation", "slave", "bash"]);
    command.arg(exchange.join("start.sh")).arg(machine.tree());
    command.arg(&exchange).arg(&programs).arg(MEMORY);
    let console = exchange.join("console");
    let mut guest = Guest(lab.spawn(machine.name(), command, &console)?);
    let mut said = String::new();
    let mut read = 0;
    let ended = wait_until("the guest ends", machine.limit(), || {
        let alive = guest.0.alive();
        let more = rest_of(&console, &mut read);
        tell(&more);
        said += &more;
        match alive {
            true => Err(last_lines(&said)),
            false => Ok(()),
        }
    });
    let forgotten = fs::remove_file(&command_file);
    ended?;
    forgotten.map_err(|e| Error::io(command_file.display(), e))?;
    let status = fs::read_to_string(exchange.join("status")).unwrap_or_default();
    for line in fs::read_to_string(exchange.join("skipped"))
        .unwrap_or_default()
        .lines()
    {
        skip::count(line);
    }
    match status.trim().parse() {
        Ok(code) => Ok(Ended { code, output: said }),
        Err(_) => Err(Error::State(format!(
            "the guest ended without a status: {}",
            last_lines(&said)
        ))),
    }
}

/// Runs the test of this thread in a guest; whether it passed there.
pub(super) fn run_this_test(machine: Machine, lab: &Lab) -> Result<(), Error> {
    let thread = std::thread::current();
    let Some(test) = thread.name().filter(|name| *name != "main") else {
        let why = "a lab for another kernel must run on the thread of its test";
        return Err(Error::State(why.to_owned()));
    };
    let program = std::env::current_exe().map_err(|e| Error::io("this program", e))?;
    let arguments = ["--exact", test, "--nocapture"].map(OsString::from);
    // Not at the beginning of a line: those are counted as results of tests.
    let prefix = match machine {
        Machine::UserMode => "uml",
        Machine::Emulated => "vm",
    };
    let tell = |text: &str| {
        for line in text.lines() {
            println!("{prefix}| {line}");
        }
    };
    let ended = run_on(machine, lab, (&program, &arguments), tell)?;
    // A name that no test has passes, too.
    match ended.code == 0 && ended.output.contains("test result: ok. 1 passed") {
        true => Ok(()),
        false => Err(Error::State(format!(
            "`{test}` in {}: status {}: {}",
            machine.name(),
            ended.code,
            last_lines(&ended.output)
        ))),
    }
}

/// Held while a guest runs; waits until fewer of them run than this machine has processors.
fn turn() -> Result<File, Error> {
    let places = std::thread::available_parallelism().map_or(1, NonZero::get);
    let path = |place: usize| Path::new(ROOT).join(format!("uml-{place}.lock"));
    let open = |place| {
        let path = path(place);
        File::create(&path).map_err(|e| Error::io(path.display(), e))
    };
    for place in 0..places {
        let file = open(place)?;
        if file.try_lock().is_ok() {
            return Ok(file);
        }
    }
    // Behind whoever has one of them, not always the same.
    let process = usize::try_from(std::process::id()).unwrap_or(0);
    let place = process.checked_rem(places).unwrap_or(0);
    let file = open(place)?;
    file.lock()
        .map_err(|e| Error::io(path(place).display(), e))?;
    Ok(file)
}

/// Ends with it.
struct Guest(Process);

impl Drop for Guest {
    fn drop(&mut self) {
        // `unshare` hands no signal on; what it leaves is killed with it.
        let _ = self.0.kill();
    }
}

/// The folder that has this program and those built with it: `target` for a test in
/// `target/debug/deps`.
fn build_folder(program: &Path) -> PathBuf {
    let folders = program.ancestors().skip(1);
    let deps = folders.clone().find(|folder| folder.ends_with("deps"));
    let target = deps.and_then(Path::parent).and_then(Path::parent);
    target
        .or(folders.clone().next())
        .unwrap_or(program)
        .to_owned()
}

/// What the guest's shell runs: the environment of this program, and the program.
fn command_text(program: &Path, arguments: &[OsString]) -> String {
    let mut text = String::new();
    for (name, value) in std::env::vars() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.is_empty() && name.chars().all(word) {
            let _ = writeln!(text, "export {name}={}", quoted(&value));
        }
    }
    let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let _ = write!(
        text,
        "export {INSIDE}=1 RBGPD_SKIP_LOG=/run/uml/skipped\nunset TMPDIR\n\
         cd {} 2>/dev/null || cd /\nexec {}",
        quoted(&folder.to_string_lossy()),
        quoted(&program.to_string_lossy())
    );
    for argument in arguments {
        let _ = write!(text, " {}", quoted(&argument.to_string_lossy()));
    }
    text.push('\n');
    text
}

/// A word of a shell, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn mode(path: &Path, mode: u32) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|e| Error::io(path.display(), e))
}

/// What was added to a file since.
fn rest_of(path: &Path, read: &mut u64) -> String {
    let mut octets = Vec::new();
    let end = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(*read))?;
        file.read_to_end(&mut octets)
    });
    // Whole lines, so that no character is cut in two.
    let whole = octets.iter().rposition(|octet| *octet == b'\n');
    octets.truncate(whole.map_or(0, |at| at.saturating_add(1)));
    if end.is_ok() {
        *read = read.saturating_add(u64::try_from(octets.len()).unwrap_or(0));
    }
    String::from_utf8_lossy(&octets).replace(SWITCHED_OFF, "")
}

/// What the kernel says last, however quiet it was told to be.
const SWITCHED_OFF: &str = "sysrq: Power Off\n";

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(20)..);
    tail.unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_test_is_that_of_the_whole_build() {
        let folder = |path: &str| build_folder(Path::new(path)).display().to_string();
        assert_eq!(folder("/b/t/debug/deps/lab_x-12"), "/b/t");
        assert_eq!(folder("/usr/bin/bgpd"), "/usr/bin");
    }

    #[test]
    fn any_word_reaches_the_shell_of_the_guest_as_it_is() {
        let word = "it's $HOME \"and\" `more`\nlines";
        let line = format!("printf %s {}", quoted(word));
        let said = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), word);
    }
}
