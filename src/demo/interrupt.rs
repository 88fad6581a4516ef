//! Ctrl-C, and the request to end that other programs send.

use tokio_util::sync::CancellationToken;

/// Returns a token that is cancelled by the first Ctrl-C or request to end. From now on neither ends
/// the program by itself.
pub(super) fn interrupt() -> CancellationToken {
    let token = CancellationToken::new();
    let interrupted = token.clone();
    tokio::spawn(async move {
        signal().await;
        interrupted.cancel();
    });
    token
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let received = async |kind| match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        // A signal that can't be received ends the program as ever.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::terminate()) => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
