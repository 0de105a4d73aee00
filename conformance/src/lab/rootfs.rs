//! A small root file system with the FRR of any Debian suite, and a container image of it.
//!
//! apt downloads the packages and their dependencies with private state; they are only unpacked.
//! No maintainer script runs and nothing is mounted, so the machine's own packages are never
//! touched. The result is kept below `/var/cache/rbgpd-lab` and reused.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;
use super::command::{self, host, run};

const CACHE: &str = "/var/cache/rbgpd-lab";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// The user of FRR inside; the number only has to be the same everywhere.
pub(super) const FRR_UID: u32 = 110;

const PACKAGES: [&str; 7] = [
    "base-files",
    "bash",
    "coreutils",
    "libpam-modules",
    "iproute2",
    "iputils-ping",
    "frr",
];

/// What a container runs: every daemon this release has, the configuration, then wait for the end.
const ENTRY: &str = include_str!("../../containers/entry.sh");

/// The unpacked tree of a suite (`bookworm`, `trixie`), made on first use.
pub(super) fn tree(suite: &str) -> Result<PathBuf, Error> {
    let root = Path::new(CACHE).join(suite);
    let _turn = turn(suite)?;
    if !root.exists() {
        // Made beside and renamed, so that a tree that exists is complete.
        let draft = Path::new(CACHE).join(format!("{suite}.draft"));
        let _ = fs::remove_dir_all(&draft);
        unpack(suite, &draft)?;
        complete(&draft)?;
        fs::rename(&draft, &root).map_err(|e| Error::io(root.display(), e))?;
    }
    Ok(root)
}

/// The container image of a suite, imported from its tree on first use.
pub(super) fn image(suite: &str) -> Result<String, Error> {
    let name = format!("localhost/rbgpd-lab-frr:{suite}");
    let root = tree(suite)?;
    let _turn = turn(&format!("{suite}.image"))?;
    if host("podman", &["image", "exists", &name]).is_ok() {
        return Ok(name);
    }
    let archive = Path::new(CACHE).join(format!("{suite}.tar"));
    let (from, to) = (root.to_string_lossy(), archive.to_string_lossy());
    host("tar", &["-C", &from, "--numeric-owner", "-cf", &to, "."])?;
    let entry = "CMD [\"/entry.sh\"]";
    let imported = host("podman", &["import", "-q", "--change", entry, &to, &name]);
    let _ = fs::remove_file(&archive);
    imported.map(|_| name)
}

/// A package of a suite without what it depends on, unpacked on first use: for a program that needs no more
/// than the machine's own C library.
pub(super) fn package(suite: &str, name: &str) -> Result<PathBuf, Error> {
    let root = Path::new(CACHE).join(format!("{suite}-{name}"));
    let _turn = turn(&format!("{suite}-{name}"))?;
    if !root.exists() {
        let work = sources(&format!("{suite}-{name}"), suite)?;
        run(apt(&work).current_dir(&work).args(["download", name]))?;
        let draft = Path::new(CACHE).join(format!("{suite}-{name}.draft"));
        let _ = fs::remove_dir_all(&draft);
        make(&draft)?;
        extract_all(&work, &draft)?;
        let _ = fs::remove_dir_all(&work);
        fs::rename(&draft, &root).map_err(|e| Error::io(root.display(), e))?;
    }
    Ok(root)
}

/// One builder at a time.
fn turn(name: &str) -> Result<File, Error> {
    fs::create_dir_all(CACHE).map_err(|e| Error::io(CACHE, e))?;
    let path = Path::new(CACHE).join(format!("{name}.lock"));
    let file = File::create(&path).map_err(|e| Error::io(path.display(), e))?;
    file.lock().map_err(|e| Error::io(path.display(), e))?;
    Ok(file)
}

/// A folder with apt's state for a suite, which knows its packages.
fn sources(name: &str, suite: &str) -> Result<PathBuf, Error> {
    let work = Path::new(CACHE).join(format!("{name}.apt"));
    let _ = fs::remove_dir_all(&work);
    for folder in ["lists/partial", "cache/archives/partial", "empty"] {
        make(&work.join(folder))?;
    }
    write(&work.join("status"), "")?;
    let source = format!("deb [signed-by={KEYRING}] {} {suite} main\n", mirror()?);
    write(&work.join("sources.list"), &source)?;
    run(apt(&work).arg("update"))?;
    Ok(work)
}

fn unpack(suite: &str, root: &Path) -> Result<(), Error> {
    let work = sources(suite, suite)?;
    run(apt(&work)
        .args(["-y", "--download-only", "install"])
        .args(PACKAGES))?;
    for folder in ["bin", "sbin", "lib", "lib64"] {
        make(&root.join("usr").join(folder))?;
        let link = root.join(folder);
        symlink(format!("usr/{folder}"), &link).map_err(|e| Error::io(link.display(), e))?;
    }
    extract_all(&work.join("cache/archives"), root)?;
    let _ = fs::remove_dir_all(&work);
    Ok(())
}

/// Every package that lies in a folder.
fn extract_all(archives: &Path, root: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(archives).map_err(|e| Error::io(archives.display(), e))? {
        let path = entry.map_err(|e| Error::io(archives.display(), e))?.path();
        if path.extension().is_some_and(|e| e == "deb") {
            extract(&path, root)?;
        }
    }
    Ok(())
}

/// apt with private lists, cache and package status: everything is "not installed" to it.
fn apt(work: &Path) -> Command {
    let at = |key: &str, name: &str| format!("{key}={}", work.join(name).display());
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
    for option in [
        at("Dir::Etc::sourcelist", "sources.list"),
        at("Dir::Etc::sourceparts", "empty"),
        at("Dir::Etc::preferencesparts", "empty"),
        at("Dir::State::lists", "lists"),
        at("Dir::State::status", "status"),
        at("Dir::Cache", "cache"),
        "Debug::NoLocking=1".to_owned(),
        "APT::Install-Recommends=0".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "DPkg::Post-Invoke=".to_owned(),
        "APT::Update::Post-Invoke-Success=".to_owned(),
    ] {
        command.args(["-o", &option]);
    }
    command
}

/// The mirror that this machine's own apt uses, or `RBGPD_DEBIAN_MIRROR`.
fn mirror() -> Result<String, Error> {
    if let Ok(mirror) = std::env::var("RBGPD_DEBIAN_MIRROR") {
        return Ok(mirror);
    }
    let apt = Path::new("/etc/apt");
    let parts = fs::read_dir(apt.join("sources.list.d"))
        .into_iter()
        .flatten()
        .flatten();
    let files = std::iter::once(apt.join("sources.list")).chain(parts.map(|e| e.path()));
    let texts = files.filter_map(|path| fs::read_to_string(path).ok());
    let text = texts.collect::<Vec<_>>().join("\n");
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace)
        .find(|word| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
        .ok_or_else(|| {
            let hint = "set RBGPD_DEBIAN_MIRROR";
            Error::State(format!(
                "no Debian mirror in the sources of apt\n\nhint: {hint}"
            ))
        })
}

fn extract(package: &Path, root: &Path) -> Result<(), Error> {
    let failed = |e| Error::io(package.display(), e);
    let mut unpacked = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let Some(stream) = unpacked.stdout.take() else {
        return Err(Error::State("dpkg-deb has no output".to_owned()));
    };
    let mut tar = Command::new("tar");
    tar.args(["-x", "--keep-directory-symlink", "-C"])
        .arg(root)
        .stdin(stream);
    for unused in ["doc", "man", "locale", "info"] {
        tar.arg(format!("--exclude=./usr/share/{unused}/*"));
    }
    let written = tar
        .args(["--exclude=*/perl*", "--exclude=*/python3*"])
        .status();
    unpacked.wait().map_err(failed)?;
    match written.map_err(failed)?.success() {
        true => Ok(()),
        false => Err(Error::State(format!(
            "{} could not be unpacked",
            package.display()
        ))),
    }
}

/// What the maintainer scripts would have made.
fn complete(root: &Path) -> Result<(), Error> {
    let owned = [
        "run/frr",
        "etc/frr",
        "var/log/frr",
        "var/lib/frr",
        "var/tmp/frr",
    ];
    for folder in ["proc", "sys", "dev", "tmp", "root", "etc/pam.d"]
        .iter()
        .chain(&owned)
    {
        make(&root.join(folder))?;
    }
    for open in ["tmp", "var/tmp"] {
        let path = root.join(open);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o1777))
            .map_err(|e| Error::io(path.display(), e))?;
    }
    if !root.join("var/run").exists() {
        symlink("/run", root.join("var/run")).map_err(|e| Error::io("var/run", e))?;
    }
    let frr = FRR_UID;
    let users = format!("root:x:0:0:root:/root:/bin/bash\nfrr:x:{frr}:{frr}::/:/bin/false\n");
    write(&root.join("etc/passwd"), &users)?;
    write(
        &root.join("etc/group"),
        &format!("root:x:0:\nfrr:x:{frr}:\nfrrvty:x:111:frr\n"),
    )?;
    // vtysh asks PAM, and PAM falls back to "other": without both, root is refused.
    for service in ["frr", "other"] {
        let rule = "auth sufficient pam_rootok.so\naccount sufficient pam_rootok.so\n";
        write(&root.join("etc/pam.d").join(service), rule)?;
    }
    write(&root.join("entry.sh"), ENTRY)?;
    let entry = root.join("entry.sh");
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o755))
        .map_err(|e| Error::io(entry.display(), e))?;
    for folder in owned {
        chown(&root.join(folder), FRR_UID)?;
    }
    Ok(())
}

/// Gives a folder and everything in it to a user and the group of the same number.
pub(super) fn chown(path: &Path, uid: u32) -> Result<(), Error> {
    command::host(
        "chown",
        &["-R", &format!("{uid}:{uid}"), &path.to_string_lossy()],
    )
    .map(drop)
}

fn make(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|e| Error::io(path.display(), e))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|e| Error::io(path.display(), e))
}
