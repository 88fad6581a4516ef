//! Accepting connections: at most so many, and none that stays silent.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// How long a new connection has to send its hello. HTTP/2 keepalive starts only after it.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2's preface and the head of its first frame; any HTTP/1.1 request is longer.
const HELLO_BYTES: usize = 24 + 9;
/// Pause after a failure to accept, such as too many open files, instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Returns the connections of a listener, at most `max` at once; `cut` ends them all.
pub(crate) fn accept(
    listener: TcpListener,
    max: usize,
    cut: CancellationToken,
) -> impl Stream<Item = io::Result<Connection>> {
    let seats = Arc::new(Semaphore::new(max));
    futures::stream::unfold((listener, seats, cut), |(listener, seats, cut)| async {
        let seat = Arc::clone(&seats).acquire_owned().await.ok()?;
        let stream = loop {
            match listener.accept().await {
                Ok((stream, _)) => break stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        let connection = Connection::new(stream, seat, &cut);
        Some((Ok(connection), (listener, seats, cut)))
    })
}

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Until when its hello must have come; `None` once it has.
    hello: Option<Pin<Box<Sleep>>>,
    read_bytes: usize,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Given back when the connection ends.
    _seat: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TcpStream, seat: OwnedSemaphorePermit, cut: &CancellationToken) -> Self {
        // Offers are small and must not wait for more to send.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        metrics::gauge!("evenhand_connections_open").increment(1.0);
        Self {
            stream,
            hello: Some(Box::pin(tokio::time::sleep(HELLO_TIMEOUT))),
            read_bytes: 0,
            cut: Box::pin(cut.clone().cancelled_owned()),
            _seat: seat,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        metrics::gauge!("evenhand_connections_open").decrement(1.0);
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.read_bytes = self.read_bytes.saturating_add(buffer.filled().len() - before);
        if self.read_bytes >= HELLO_BYTES {
            self.hello = None;
        }
        let late = |hello: &mut Pin<Box<Sleep>>| hello.as_mut().poll(context).is_ready();
        if polled.is_pending() && self.hello.as_mut().is_some_and(late) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
