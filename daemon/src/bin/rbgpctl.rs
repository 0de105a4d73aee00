//! rbgpctl.

fn main() {}
