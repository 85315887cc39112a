//! The peer's connections: accepted, secured if asked for, and cut when told to.

use super::Running;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// Serves an application on a listener until it is stopped.
pub(super) fn serve(
    app: axum::Router,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    cut: watch::Sender<u64>,
) -> Running {
    let stop = watch::Sender::new(false);
    let mut stopped = stop.subscribe();
    let task = tokio::spawn(async move {
        let (accepted, incoming) = mpsc::channel(64);
        let served = tonic::transport::Server::builder()
            .add_routes(tonic::service::Routes::from(app))
            .serve_with_incoming(ReceiverStream::new(incoming));
        tokio::select! {
            _ = served => {}
            () = accept(listener, tls.map(TlsAcceptor::from), &cut, accepted) => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        cut.send_modify(|cuts| *cuts += 1);
    });
    Running { stop, task }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    cut: &watch::Sender<u64>,
    accepted: mpsc::Sender<std::io::Result<Connection>>,
) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            continue;
        };
        let _ = tcp.set_nodelay(true);
        let (mut cut, tls, accepted) = (cut.subscribe(), tls.clone(), accepted.clone());
        tokio::spawn(async move {
            let prompt = Prompt(tcp);
            let inner: Box<dyn Wire> = match tls {
                None => Box::new(prompt),
                Some(tls) => match tls.accept(prompt).await {
                    Ok(secured) => Box::new(secured),
                    Err(_) => return,
                },
            };
            let connection = Connection {
                inner,
                cut: Box::pin(async move {
                    let _ = cut.changed().await;
                }),
                ended: false,
            };
            let _ = accepted.send(Ok(connection)).await;
        });
    }
}

pub(super) async fn listen(address: std::net::SocketAddr) -> TcpListener {
    for _ in 0..500 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        if socket.bind(address).is_ok()
            && let Ok(listener) = socket.listen(1024)
        {
            return listener;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing can listen at {address}");
}

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A socket that acknowledges at once: clients that write a request in two pieces wait for the first
/// one's acknowledgement.
struct Prompt(TcpStream);

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        #[cfg(target_os = "linux")]
        let _ = self.0.set_quickack(true);
        read
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// A connection that can be cut.
struct Connection {
    inner: Box<dyn Wire>,
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl Connection {
    fn check(&mut self, context: &mut Context<'_>) -> std::io::Result<()> {
        self.ended = self.ended || self.cut.as_mut().poll(context).is_ready();
        if self.ended {
            Err(std::io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}
