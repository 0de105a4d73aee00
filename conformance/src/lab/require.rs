//! What a scenario needs from the machine, and skipping it loudly where that is missing.
//!
//! A skipped test prints `skipped: NAME: why` and, when `RBGPD_SKIP_LOG` names a file, adds the
//! line to it, so that a run can count what it did not do.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::rbgpd;

/// One thing a scenario needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// The user is root and may make network namespaces.
    Root,
    /// A program is installed.
    Program(&'static str),
    /// The device for tunnels is there.
    Tun,
    /// FRR's daemons from the machine's own package.
    HostFrr,
    /// The programs of this project are built.
    Rbgpd,
}

impl Requirement {
    /// `None` when it is there, otherwise why not and what to do about it.
    pub fn absent(self) -> Option<String> {
        let there = match self {
            Self::Root => nix::unistd::geteuid().is_root(),
            Self::Program(name) => on_path(name),
            Self::Tun => Path::new("/dev/net/tun").exists(),
            Self::HostFrr => Path::new("/usr/lib/frr/bgpd").exists() && on_path("vtysh"),
            Self::Rbgpd => rbgpd::binary("rbgpd").is_some() && rbgpd::binary("rbgpctl").is_some(),
        };
        (!there).then(|| self.to_string())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("needs root for network namespaces"),
            Self::Program(name) => write!(f, "needs the program `{name}` (make setup)"),
            Self::Tun => f.write_str("needs /dev/net/tun"),
            Self::HostFrr => f.write_str("needs the package frr (make setup)"),
            Self::Rbgpd => f.write_str("needs rbgpd and rbgpctl built (cargo build -p rbgpd)"),
        }
    }
}

/// What is missing of a list, in one line; `None` when everything is there.
pub fn missing(requirements: &[Requirement]) -> Option<String> {
    let absent: Vec<String> = requirements.iter().filter_map(|r| r.absent()).collect();
    (!absent.is_empty()).then(|| absent.join("; "))
}

/// Prints and counts a skipped scenario.
pub fn note_skip(name: &str, why: &str) {
    let line = format!("skipped: {name}: {why}");
    println!("{line}");
    let Some(path) = std::env::var_os("RBGPD_SKIP_LOG") else {
        return;
    };
    let written = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut log| writeln!(log, "{line}"));
    if let Err(error) = written {
        eprintln!("{}: {error}", Path::new(&path).display());
    }
}

/// Returns from the test, loudly, unless the machine has everything the list names.
///
/// ```no_run
/// use conformance::lab::Requirement;
///
/// fn needs_a_program_that_nobody_has() {
///     conformance::require!("example", Requirement::Program("no-such-program"));
///     unreachable!("the line above has returned");
/// }
/// ```
#[macro_export]
macro_rules! require {
    ($name:expr, $($requirement:expr),+ $(,)?) => {
        if let Some(why) = $crate::lab::missing(&[$($requirement),+]) {
            $crate::lab::note_skip($name, &why);
            return;
        }
    };
}

fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // The administrator's programs are often missing from an ordinary user's PATH.
    let usual = ["/usr/sbin", "/sbin", "/usr/bin"].map(Into::into);
    std::env::split_paths(&path)
        .chain(usual)
        .any(|dir| dir.join(name).is_file())
}
