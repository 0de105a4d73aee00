use std::os::unix::net::UnixListener as StdListener;

use super::*;

/// A directory of its own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rbgpd-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_socket_has_mode_0660_and_goes_with_its_listener() {
    let directory = Directory::new("mode");
    let path = directory.0.join("run/control.sock");
    let listener = Listener::control(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn the_socket_of_a_dead_daemon_is_replaced() {
    let directory = Directory::new("stale");
    let path = directory.0.join("control.sock");
    drop(StdListener::bind(&path).unwrap());
    assert!(path.exists(), "closing leaves the file behind");
    let _listener = Listener::control(&path).unwrap();
    UnixStream::connect(&path).await.unwrap();
}

#[tokio::test]
async fn the_socket_of_a_live_daemon_is_left_alone() {
    let directory = Directory::new("live");
    let path = directory.0.join("control.sock");
    let _first = Listener::control(&path).unwrap();
    let error = Listener::control(&path).unwrap_err();
    assert!(matches!(error, BindError::Live(_)), "{error}");
    UnixStream::connect(&path).await.unwrap();
}

#[tokio::test]
async fn the_socket_of_another_program_is_left_alone() {
    let directory = Directory::new("other");
    let path = directory.0.join("control.sock");
    let _other = StdListener::bind(&path).unwrap();
    let error = Listener::control(&path).unwrap_err();
    assert!(matches!(error, BindError::Live(_)), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_a_socket_is_left_alone() {
    let directory = Directory::new("file");
    let path = directory.0.join("control.sock");
    fs::write(&path, "precious").unwrap();
    let error = Listener::control(&path).unwrap_err();
    assert!(matches!(error, BindError::NotASocket(_)), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let path = Path::new("/proc/nothing/here/control.sock");
    let error = Listener::control(path).unwrap_err().to_string();
    assert!(error.contains("/proc/nothing/here/control.sock"), "{error}");
}

#[tokio::test]
async fn the_cause_is_said_beside_the_error_and_not_in_it() {
    // TEST-NET-1: an address that no host has.
    let address = "192.0.2.1:1".parse().unwrap();
    let long = std::env::temp_dir().join("x".repeat(120));
    let tcp = Listener::metrics(address).await.unwrap_err();
    let unix = Listener::control(&long).unwrap_err();
    let lock = Listener::control(Path::new("/proc/self/control.sock")).unwrap_err();
    let _ = fs::remove_file(with_suffix(&long, ".lock"));
    for error in [tcp, unix, lock] {
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(!error.to_string().contains(&cause), "{error}: {cause}");
    }
}
