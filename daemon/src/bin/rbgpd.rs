//! rbgpd.

fn main() {}
