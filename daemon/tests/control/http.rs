//! HTTP as others speak it, over the control socket and the listener of metrics.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rbgpd::control::reply::Reply;
use rbgpd::control::server::{BODY_MAX, CONNECTIONS_MAX};
use rbgpd::control::{ErrorReply, Request};
use rbgpd::metrics::Snapshot;
use serde_json::Value;

use crate::daemon::{Daemon, status_and_body};
use crate::replies::{paged, summary};

#[test]
fn the_socket_speaks_http_to_anybody() {
    let daemon = Daemon::new(|request| match request {
        Request::Summary => Ok(Reply::Summary(summary())),
        Request::Metrics => Ok(Reply::Metrics(Box::new(Snapshot {
            uptime_s: 77,
            ..Snapshot::default()
        }))),
        _ => paged(request, 10),
    });
    let (status, body) = daemon.get("/v1/summary");
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["asn"], 65001);
    let (status, body) = daemon.get("/metrics");
    assert_eq!(status, 200);
    assert!(body.contains("\nrbgpd_uptime_seconds 77\n"), "{body}");
    let (status, body) = daemon.get("/v1/routes?limit=2");
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["next"], "3");
}

#[test]
fn a_whole_table_comes_in_chunks_as_one_object() {
    let daemon = Daemon::new(|request| paged(request, 10));
    // HTTP/1.0 has no chunks: the end of the connection is the end of the body.
    let (status, body) = status_and_body(&daemon.exchange(b"GET /v1/routes HTTP/1.0\r\n\r\n"));
    assert_eq!(status, 200);
    let json: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["routes"].as_array().unwrap().len(), 10);
    assert_eq!(daemon.asked().len(), 4);
}

#[test]
fn a_table_that_breaks_off_does_not_look_whole() {
    let daemon = Daemon::new(|request| match request {
        Request::Routes(routes) if routes.page.after.is_some() => Err(ErrorReply::failed("gone")),
        _ => paged(request, 10),
    });
    let answer =
        daemon.exchange(b"GET /v1/routes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.contains("10.0.2.0/24"), "{answer}");
    assert!(
        !answer.ends_with("0\r\n\r\n"),
        "the last chunk would say that it is whole: {answer}"
    );
    let ran = daemon.rbgpctl(&["show", "routes", "--json"]).exits(1);
    assert!(
        serde_json::from_str::<Value>(&ran.out).is_err(),
        "{}",
        ran.out
    );
}

#[test]
fn bad_requests_get_json_and_a_fitting_status() {
    let daemon = Daemon::new(|_| Ok(Reply::Summary(summary())));
    for (target, status) in [
        ("/", 404),
        ("/v1/nothing", 404),
        ("/v1/routes?prefx=1", 400),
        ("/v1/reload", 405),
    ] {
        let (got, body) = daemon.get(target);
        assert_eq!(got, status, "{target}");
        let json: Value = serde_json::from_str(&body).unwrap();
        assert!(json["error"].is_string(), "{body}");
    }
    assert_eq!(daemon.post("/v1/drain", "{\"fro\": 1}").0, 400);
    assert_eq!(daemon.post("/v1/drain", "not json").0, 400);
    assert_eq!(daemon.post("/v1/summary", "").0, 405);
    for (method, path, allowed) in [
        ("DELETE", "/v1/drain", "GET, POST"),
        ("DELETE", "/v1/routes", "GET"),
        ("POST", "/v1/routes", "GET"),
        ("PUT", "/v1/reload", "POST"),
        ("GET", "/v1/clear", "POST"),
        ("PATCH", "/metrics", "GET"),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = daemon.exchange(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
        assert!(
            answer.contains(&format!("\r\nallow: {allowed}\r\n")),
            "{answer}"
        );
        let words = allowed.replace(", ", " and ");
        let error = format!("`{path}` takes {words}, but was asked with {method}");
        assert!(answer.contains(&error), "{answer}");
    }
    let unknown = b"DELETE /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(status_and_body(&daemon.exchange(unknown)).0, 404);
    for limit in ["0", "10001", "-1", "ten", "99999999999"] {
        let (status, body) = daemon.get(&format!("/v1/routes?limit={limit}"));
        let error = format!("`limit` is `{limit}`, but must be a number from 1 to 10000");
        assert_eq!(status, 400);
        assert!(body.contains(&error), "{body}");
    }
    assert!(daemon.asked().is_empty(), "none of it reached the core");
    // And the server is still well.
    assert_eq!(daemon.get("/v1/summary").0, 200);
}

#[test]
fn oversized_and_broken_http_is_refused() {
    let daemon = Daemon::new(|_| Ok(Reply::Summary(summary())));
    let (status, body) = daemon.post("/v1/drain", &" ".repeat(BODY_MAX + 1));
    assert_eq!(status, 413, "{body}");
    // Without a length the limit holds as well.
    let mut chunked = b"POST /v1/drain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Transfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..=BODY_MAX / 4096 {
        chunked.extend(b"1000\r\n");
        chunked.extend([b' '; 4096]);
        chunked.extend(b"\r\n");
    }
    assert_eq!(status_and_body(&daemon.exchange(&chunked)).0, 413);
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    for octets in [
        &b"\x00\xff\xfe garbage\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/drain HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        long.as_bytes(),
    ] {
        let answer = daemon.exchange(octets);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    // Half a request, and gone.
    let mut half = daemon.connect();
    half.write_all(b"POST /v1/drain HTTP/1.1\r\nContent-Length: 10\r\n\r\n{")
        .unwrap();
    half.shutdown(Shutdown::Both).unwrap();
    assert!(daemon.asked().is_empty(), "none of it reached the core");
    assert_eq!(daemon.get("/v1/summary").0, 200);
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody() {
    let daemon = Daemon::new(|request| match request {
        Request::Summary => Ok(Reply::Summary(summary())),
        _ => paged(request, 1_000_000),
    });
    let mut deaf = daemon.connect();
    deaf.write_all(b"GET /v1/routes HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let started = Instant::now();
    for _ in 0..20 {
        daemon.rbgpctl(&["show", "summary"]).exits(0);
    }
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    // What was asked of the core stops when the socket's buffers are full.
    let pages = daemon
        .asked()
        .iter()
        .filter(|r| matches!(r, Request::Routes(_)))
        .count();
    assert!(
        pages < 10_000,
        "{pages} pages were fetched for somebody who reads none"
    );
}

#[test]
fn idle_connections_are_closed_so_that_others_get_in() {
    let daemon = Daemon::new(|_| Ok(Reply::Summary(summary())));
    let idle: Vec<UnixStream> = (0..CONNECTIONS_MAX).map(|_| daemon.connect()).collect();
    for mut stream in idle.iter().step_by(2) {
        // Idle after a question is idle, too.
        stream
            .write_all(b"GET /v1/summary HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
    }
    // All places are taken; this one waits until the idle ones have been given up.
    assert_eq!(daemon.get("/v1/summary").0, 200);
    for mut stream in idle {
        let mut rest = Vec::new();
        stream
            .read_to_end(&mut rest)
            .expect("closed, perhaps with a word");
    }
}

#[test]
fn tcp_serves_metrics_and_nothing_else() {
    let daemon = Daemon::new(|request| match request {
        Request::Metrics => Ok(Reply::Metrics(Box::default())),
        other => panic!("{other:?}"),
    });
    let get = |target: &str, method: &str| {
        let mut stream = std::net::TcpStream::connect(daemon.metrics).unwrap();
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = get("/metrics", "GET");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4"),
        "{answer}"
    );
    assert!(answer.contains("rbgpd_build_info{version="), "{answer}");
    assert!(get("/v1/summary", "GET").starts_with("HTTP/1.1 404"));
    assert!(get("/v1/drain", "POST").starts_with("HTTP/1.1 404"));
    assert_eq!(daemon.asked(), [Request::Metrics]);
}
