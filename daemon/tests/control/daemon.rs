//! The shipped server with a fake core behind it, in a thread of its own.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rbgpd::control::server::{Listener, serve};
use rbgpd::control::{Answer, CoreHandle, Request};
use tokio::sync::oneshot;

use crate::client::{Ran, rbgpctl};

/// What a test's core answers.
type Core = Box<dyn FnMut(&Request) -> Answer + Send>;

/// A server with a fake core, in a thread of its own; ends when dropped.
pub(crate) struct Daemon {
    directory: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) metrics: std::net::SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn fresh_directory() -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("rbgpd-control-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir(&directory).unwrap();
    directory
}

impl Daemon {
    pub(crate) fn new(mut core: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self::boxed(Box::new(move |request| core(request)))
    }

    fn boxed(mut core: Core) -> Self {
        let directory = fresh_directory();
        let socket = directory.join("control.sock");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (path, log) = (socket.clone(), asked.clone());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let (handle, mut calls) = CoreHandle::channel();
                let control = Listener::control(&path).unwrap();
                let metrics = Listener::metrics("127.0.0.1:0".parse().unwrap())
                    .await
                    .unwrap();
                ready.send(metrics.address().unwrap()).unwrap();
                let answers = async {
                    while let Some((request, answer)) = calls.recv().await {
                        log.lock().unwrap().push(request.clone());
                        // An asker that went away is no error.
                        let _ = answer.send(core(&request));
                    }
                };
                tokio::select! {
                    _ = serve(control, handle.clone()) => {}
                    _ = serve(metrics, handle) => {}
                    () = answers => {}
                    _ = stopped => {}
                }
            });
        });
        let metrics = is_ready.recv().unwrap();
        let (stop, thread) = (Some(stop), Some(thread));
        Self {
            directory,
            socket,
            metrics,
            asked,
            stop,
            thread,
        }
    }

    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn rbgpctl(&self, arguments: &[&str]) -> Ran {
        rbgpctl(&self.socket, arguments)
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Sends octets, and reads until the server closes the connection.
    pub(crate) fn exchange(&self, octets: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may close before it has read everything.
        let _ = stream.write_all(octets);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn get(&self, target: &str) -> (u16, String) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        status_and_body(&self.exchange(request.as_bytes()))
    }

    pub(crate) fn post(&self, target: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        status_and_body(&self.exchange(request.as_bytes()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !thread::panicking() {
                ended.unwrap();
            }
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub(crate) fn status_and_body(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).unwrap_or("0").parse().unwrap();
    (status, body.to_owned())
}
