//! The origin: one thread that serves test answers over HTTP and TLS on loopback.

mod routes;

use std::io::IsTerminal;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustls::ServerConfig;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::bodies::Bodies;
use crate::{Outcome, certificates, text, tls};

/// How long to wait after a failed accept (no descriptors left).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(20);

/// Serve test answers over HTTP and TLS on loopback.
#[derive(Args)]
pub struct OriginArguments {
    /// Folder for the authority and the leaf; made when it holds none.
    #[arg(long, default_value = "loadtest-tls")]
    tls_dir: PathBuf,
    /// End after so many seconds.
    #[arg(long, default_value_t = 3600)]
    lifetime_secs: u64,
}

/// Serves until its lifetime ends, or standard input does when that is a pipe.
pub fn run(arguments: &OriginArguments) -> Outcome<()> {
    crate::meter::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(arguments))
}

async fn serve(arguments: &OriginArguments) -> Outcome<()> {
    let files = certificates::make(&arguments.tls_dir)?;
    let bodies = Rc::new(Bodies::of_origin(text::clean()));
    let http = open(&bodies, None).await?;
    let resuming = open(&bodies, Some(tls::server(&files, true)?)).await?;
    let full = open(&bodies, Some(tls::server(&files, false)?)).await?;
    let ports = json!({
        "http": http,
        "tls": resuming,
        "tls_without_resumption": full,
        "ca_file": files.authority,
        "pid": std::process::id(),
    });
    println!("{ports}");
    let lifetime = tokio::time::sleep(Duration::from_secs(arguments.lifetime_secs));
    tokio::select! {
        () = lifetime => {}
        _ = tokio::signal::ctrl_c() => {}
        () = parent_gone() => {}
    }
    Ok(())
}

/// Ends when standard input is a pipe and its other end is closed: whoever started this is gone.
async fn parent_gone() {
    if std::io::stdin().is_terminal() || std::env::var_os("LOADTEST_PARENT").is_none() {
        return std::future::pending().await;
    }
    let (gone, seen) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(gone);
    });
    let _ = seen.await;
}

/// Listens on one port of both loopback addresses (IPv4 alone where there is no IPv6); returns the port.
async fn open(bodies: &Rc<Bodies>, config: Option<Arc<ServerConfig>>) -> Outcome<u16> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let port = listener.local_addr()?.port();
    let acceptor = config.map(TlsAcceptor::from);
    tokio::task::spawn_local(accept(listener, Rc::clone(bodies), acceptor.clone()));
    if let Ok(listener) = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
        tokio::task::spawn_local(accept(listener, Rc::clone(bodies), acceptor));
    }
    Ok(port)
}

async fn accept(listener: TcpListener, bodies: Rc<Bodies>, acceptor: Option<TlsAcceptor>) {
    let mut is_said = false;
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                tokio::task::spawn_local(connection(tcp, Rc::clone(&bodies), acceptor.clone()));
            }
            Err(error) => {
                if !is_said {
                    eprintln!("loadtest origin: connections are not taken: {error}");
                    is_said = true;
                }
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// A connection's errors end it, and nothing else.
async fn connection(tcp: TcpStream, bodies: Rc<Bodies>, acceptor: Option<TlsAcceptor>) {
    let _ = tcp.set_nodelay(true);
    let _ = match acceptor {
        None => routes::serve(tcp, &bodies).await,
        Some(acceptor) => match acceptor.accept(tcp).await {
            Ok(stream) => routes::serve(stream, &bodies).await,
            Err(error) => Err(error),
        },
    };
}
