//! Files that others wrote: a configuration, the drain state.
//!
//! What is no plain file is refused before it is opened: a named pipe would keep whoever reads it
//! waiting, the core among them, and a device never ends.
//!
//! A file is replaced whole: [`Beside::write`] puts the new one on the disk beside it, with the
//! owner and mode that it has, and [`Beside::replace`] gives it the name. Whatever happens in
//! between, the name leads to the old content or to the new. A symbolic link stays, and what it
//! leads to is replaced. Attributes beyond owner and mode (access lists, labels) are those that the
//! folder gives to new files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

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

/// New content of a file, on the disk beside it. Removed again unless it takes the name.
#[derive(Debug)]
pub(crate) struct Beside {
    /// Without symbolic links.
    file: PathBuf,
    new: PathBuf,
}

impl Beside {
    /// Writes new content of a file that is there.
    pub(crate) fn write(path: &Path, content: &str) -> io::Result<Self> {
        let file = fs::canonicalize(path)?;
        let old = fs::metadata(&file)?;
        // What its owner may not write is meant to stay as it is; root could all the same.
        if old.mode() & 0o200 == 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "its mode is {:04o}, which is read-only",
                    old.mode() & 0o7777
                ),
            ));
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(file.file_name().unwrap_or_default());
        name.push(".new");
        let beside = Self {
            new: file.with_file_name(name),
            file,
        };
        // One that is left over is of a run that broke off: there is one daemon to a file.
        match fs::remove_file(&beside.new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut open = OpenOptions::new();
        let mut new = open
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside.new)?;
        new.write_all(content.as_bytes())?;
        new.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
        let have = new.metadata()?;
        if (have.uid(), have.gid()) != (old.uid(), old.gid()) {
            fchown(&new, Some(old.uid()), Some(old.gid()))?;
        }
        new.sync_all()?;
        Ok(beside)
    }

    /// Gives the new content the name of the old.
    pub(crate) fn replace(self) -> io::Result<()> {
        fs::rename(&self.new, &self.file)?;
        // The name is in the folder: with that on the disk a power cut takes nothing back.
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        File::open(folder)?.sync_all()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Gone already where it has taken the name.
        drop(fs::remove_file(&self.new));
    }
}

#[cfg(test)]
mod tests;
