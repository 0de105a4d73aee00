//! Files that others wrote: a configuration, the drain state.
//!
//! What is no plain file is refused before it is opened: a named pipe would keep whoever reads it
//! waiting, the core among them, and a device never ends.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// The octets of a plain file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?.file_type();
    let what = if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else if kind.is_socket() {
        "a socket"
    } else {
        return fs::read(path);
    };
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("is {what}, but must be a file"),
    ))
}
