//! The built `rbgpctl`: started, on a terminal or not, and what it said.

use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) talk: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.out, self.talk
        );
        self
    }
}

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rbgpctl"));
    command.env_remove("RBGPD_SOCKET").stdin(Stdio::null());
    command
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        talk: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn rbgpctl(socket: &Path, arguments: &[&str]) -> Ran {
    ran(program()
        .arg("--socket")
        .arg(socket)
        .args(arguments)
        .output()
        .unwrap())
}

/// `rbgpctl` without a daemon, fed with `input`.
pub(crate) fn rbgpctl_with(input: &[u8], arguments: &[&str]) -> Ran {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    ran(child.wait_with_output().unwrap())
}

/// A terminal of 80 columns: the side of whoever sits there, and that of programs.
pub(crate) fn open_terminal() -> (OwnedFd, OwnedFd) {
    let size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: both descriptors are places to write to, no name and no settings are passed, and
    // `size` is read only.
    let opened = unsafe {
        libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    assert_eq!(opened, 0);
    // SAFETY: both were opened just now and belong to nobody else.
    unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) }
}

/// What `rbgpctl` writes on a terminal of 80 columns.
pub(crate) fn on_a_terminal(socket: &Path, arguments: &[&str]) -> String {
    let (master, slave) = open_terminal();
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        // The end of a terminal whose other side is closed is an error.
        let _ = std::fs::File::from(master).read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    });
    let mut command = program();
    let status = command
        .arg("--socket")
        .arg(socket)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(slave)
        .status();
    assert!(status.unwrap().success(), "{arguments:?}");
    // With it goes the last descriptor of the other side.
    drop(command);
    reader.join().unwrap().replace('\r', "")
}
