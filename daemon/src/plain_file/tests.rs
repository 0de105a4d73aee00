use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

static NUMBER: AtomicUsize = AtomicUsize::new(0);

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("rbgpd-plain-file-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_file_is_replaced_whole_with_its_mode_and_owner() {
    let folder = Folder::new();
    let file = folder.file("a.toml", "old");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    // Only root may give a file away.
    let given = fchown(File::open(&file).unwrap(), Some(1234), Some(4321)).is_ok();
    let before = fs::metadata(&file).unwrap();
    let beside = Beside::write(&file, "new").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    beside.replace().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    let after = fs::metadata(&file).unwrap();
    assert_eq!(after.mode() & 0o7777, 0o640);
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    assert!(!given || after.uid() == 1234);
    assert_eq!(folder.names(), ["a.toml"]);
}

#[test]
fn what_is_not_given_the_name_leaves_nothing() {
    let folder = Folder::new();
    let file = folder.file("a.toml", "old");
    drop(Beside::write(&file, "new").unwrap());
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    assert_eq!(folder.names(), ["a.toml"]);
    // Of a run that broke off.
    folder.file(".a.toml.new", "half a fi");
    Beside::write(&file, "new").unwrap().replace().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    assert_eq!(folder.names(), ["a.toml"]);
}

#[test]
fn a_symbolic_link_stays_one() {
    let (folder, other) = (Folder::new(), Folder::new());
    let file = other.file("a.toml", "old");
    let link = folder.0.join("link.toml");
    symlink(&file, &link).unwrap();
    Beside::write(&link, "new").unwrap().replace().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    assert!(
        fs::symlink_metadata(&link)
            .unwrap()
            .file_type()
            .is_symlink()
    );
    assert_eq!(folder.names(), ["link.toml"]);
    assert_eq!(other.names(), ["a.toml"]);
}

#[test]
fn a_read_only_file_is_left_alone() {
    let folder = Folder::new();
    let file = folder.file("a.toml", "old");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let error = Beside::write(&file, "new").unwrap_err();
    assert!(error.to_string().contains("0444"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    assert_eq!(folder.names(), ["a.toml"]);
    assert!(Beside::write(&folder.0.join("b.toml"), "new").is_err());
}
