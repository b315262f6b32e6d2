//! Accepts connections and serves them, each bounded: how many, how slowly they may read and write, how long they may end.
//!
//! poem's own server bounds neither the reading of a request's head nor the number of connections, so this drives hyper itself.
//! HTTP/1.1 only: TLS and HTTP/2 are the business of the proxy in front.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::{
    Addr, Endpoint,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Sleep, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Edge,
    limits::{ACCEPT_PAUSE_MS, HEAD_BYTES, HEADERS, UPKEEP_MS},
    routes,
};
use crate::app::App;

/// Serves until `shutdown` is ready. Then accepts nothing more, and gives running requests the configured time to end.
///
/// # Errors
/// If the listener is of no use.
pub async fn serve(app: Arc<App>, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let local = listener.local_addr()?;
    let limits = app.config.limits.clone();
    let edge = Arc::new(Edge::new(app));
    let server = Arc::new(Server {
        endpoint: routes(&edge),
        local,
        patience: Duration::from_millis(limits.read_ms),
        stop: CancellationToken::new(),
    });
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut upkeep = interval(Duration::from_millis(UPKEEP_MS));
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, remote, permit) = accept(&listener, &permits) => {
                let server = server.clone();
                connections.spawn(async move {
                    server.connection(stream, remote).await;
                    drop(permit);
                });
            }
            Some(_) = connections.join_next() => {}
            _ = upkeep.tick() => edge.metrics.upkeep(),
        }
    }
    edge.stop();
    drop(listener);
    server.stop.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(Duration::from_millis(limits.shutdown_ms), ended).await.is_err() {
        tracing::warn!(connections = connections.len(), millis = limits.shutdown_ms, "requests did not end in time and are cut off");
        connections.shutdown().await;
    }
    Ok(())
}

/// The next connection, once there is room for it. Further ones wait in the system's queue.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    let permit = permits.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => return (stream, remote, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

/// What every connection shares.
struct Server<E> {
    endpoint: E,
    local: SocketAddr,
    patience: Duration,
    stop: CancellationToken,
}

impl<E: Endpoint> Server<E> {
    async fn connection(&self, stream: TcpStream, remote: SocketAddr) {
        // Answers are written whole; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let service = service_fn(async |request: hyper::Request<Incoming>| {
            let (local, remote) = (LocalAddr(Addr::SocketAddr(self.local)), RemoteAddr(Addr::SocketAddr(remote)));
            let response = self.endpoint.get_response((request, local, remote, Scheme::HTTP).into()).await;
            Ok::<hyper::Response<_>, Infallible>(response.into())
        });
        let mut http = http1::Builder::new();
        // The time to read a head runs from the end of the request before: idle connections end by it too.
        http.timer(TokioTimer::new()).header_read_timeout(self.patience).max_headers(HEADERS).max_header_size(HEAD_BYTES);
        let mut connection = pin!(http.serve_connection(TokioIo::new(Patient::new(stream, self.patience)), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %remote, "a connection broke");
        }
    }
}

/// A connection whose other end must take some bytes within a time, each time that there are some for it.
struct Patient {
    stream: TcpStream,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    const fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }

    fn bounded<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        waiting.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
