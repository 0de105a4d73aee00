//! `rbgpctl`: asks a running `rbgpd` and gives it orders. All of it is in [`rbgpd::ctl`].

use std::process::ExitCode;

fn main() -> ExitCode {
    rbgpd::ctl::main()
}
