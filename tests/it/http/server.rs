//! Connections: how slow, how many, and how they end.

use std::{io, time::Duration};

use reqwest::{Method, StatusCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::site::{Site, development, on_site, production};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);
const HEAD: &str = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n";
const BODY: &str = "{\"query\":\"{__typename}\"}";

async fn connect(site: &Site) -> TcpStream {
    TcpStream::connect(site.address()).await.unwrap()
}

/// Everything that a connection brings until it is closed.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("the server closes the connection") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn slow_clients_do_not_hold_connections() {
    on_site(
        |config| config.limits.read_ms = 200,
        async |site| {
            for sent in ["", "POST /graphql HT", "POST /graphql HTTP/1.1\r\nhost: x\r\nx: "] {
                let mut stream = connect(site).await;
                stream.write_all(sent.as_bytes()).await.unwrap();
                assert!(!rest(&mut stream).await.contains("200 OK"), "{sent}");
            }
            let mut stream = connect(site).await;
            stream.write_all(format!("{HEAD}{{").as_bytes()).await.unwrap();
            assert!(rest(&mut stream).await.starts_with("HTTP/1.1 408 "), "a body that stops");
            let mut stream = connect(site).await;
            stream.write_all(format!("{HEAD}{BODY}").as_bytes()).await.unwrap();
            assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200 "), "a connection that is kept for nothing");
        },
    );
}

#[test]
fn a_client_that_does_not_read_does_not_hold_its_connection() {
    on_site(
        |config| {
            development(config);
            config.limits.read_ms = 200;
            config.limits.connections = 1;
        },
        async |site| {
            let mut deaf = connect(site).await;
            let request = "GET /graphiql/graphiql.js HTTP/1.1\r\nhost: x\r\n\r\n";
            deaf.write_all(request.repeat(50).as_bytes()).await.unwrap();
            let health = site.request(Method::GET, "/healthz").timeout(LONG).send().await.unwrap();
            assert_eq!(health.status(), StatusCode::OK, "the only connection is free again");
        },
    );
}

#[test]
fn connections_beyond_the_limit_wait_for_one_to_close() {
    on_site(
        |config| config.limits.connections = 2,
        async |site| {
            let mut first = connect(site).await;
            let _second = connect(site).await;
            let mut third = connect(site).await;
            let request = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            third.write_all(request.as_bytes()).await.unwrap();
            let mut byte = [0];
            assert!(timeout(Duration::from_millis(300), third.read(&mut byte)).await.is_err(), "the third is not served yet");
            first.write_all(request.as_bytes()).await.unwrap();
            assert!(rest(&mut first).await.starts_with("HTTP/1.1 200 "));
            assert!(rest(&mut third).await.starts_with("HTTP/1.1 200 "));
        },
    );
}

#[test]
fn heads_are_bounded() {
    on_site(production, async |site| {
        let head = |lines: usize, bytes: usize| {
            let lines: String = (0..lines).map(|line| format!("x-{line}: {}\r\n", "x".repeat(bytes))).collect();
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n")
        };
        for (sent, status) in [(head(62, 900), "200"), (head(63, 1), "431"), (head(1, 65_536), "431")] {
            let mut stream = connect(site).await;
            stream.write_all(sent.as_bytes()).await.unwrap();
            let answer = rest(&mut stream).await;
            assert_eq!(answer.split(' ').nth(1), Some(status), "{} bytes: {answer}", sent.len());
        }
    });
}

#[test]
fn a_stopping_server_ends_what_it_has_begun() {
    on_site(production, async |site| {
        let mut begun = connect(site).await;
        begun.write_all(HEAD.as_bytes()).await.unwrap();
        begun.write_all(&BODY.as_bytes()[..5]).await.unwrap();
        // Answered on a second connection, after the first has been accepted.
        site.request(Method::GET, "/healthz").send().await.unwrap();
        site.stop();
        while TcpStream::connect(site.address()).await.is_ok() {
            tokio::task::yield_now().await;
        }
        begun.write_all(&BODY.as_bytes()[5..]).await.unwrap();
        let answer = rest(&mut begun).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{answer}");
        timeout(LONG, &mut site.served).await.unwrap().unwrap().unwrap();
        let finished = async { Ok(()) };
        #[expect(clippy::disallowed_methods, reason = "in the place of the task that was joined")]
        let served = tokio::spawn(finished);
        site.served = served;
    });
}

#[test]
fn a_stopping_server_waits_for_so_long_only() {
    on_site(
        |config| config.limits.shutdown_ms = 100,
        async |site| {
            let mut begun = connect(site).await;
            begun.write_all(HEAD.as_bytes()).await.unwrap();
            site.request(Method::GET, "/healthz").send().await.unwrap();
            site.stop();
            assert_eq!(rest(&mut begun).await, "");
        },
    );
}
