//! Pages of other origins stay out.
//!
//! As long as callers have no identity, being on this machine is all it takes to call. A web page in a
//! browser here must not pass for that, not even by pointing its own name at 127.0.0.1. Browsers send
//! `Origin` with every such call and pages cannot change it; other clients do not send it.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response, StatusCode, header::ORIGIN, uri::Uri};
use tower::{Layer, Service};

/// Refuses calls of pages that are neither listed nor of this machine.
#[derive(Clone, Debug)]
pub(crate) struct OriginLayer {
    listed: Arc<[String]>,
}

impl OriginLayer {
    /// Returns the layer that lets in pages of these origins and of this machine.
    pub(crate) fn new(listed: &[String]) -> Self {
        Self { listed: listed.into() }
    }
}

impl<S> Layer<S> for OriginLayer {
    type Service = OriginGuard<S>;

    fn layer(&self, inner: S) -> OriginGuard<S> {
        OriginGuard { inner, listed: Arc::clone(&self.listed) }
    }
}

/// A service that only pages let in may call.
#[derive(Clone, Debug)]
pub(crate) struct OriginGuard<S> {
    inner: S,
    listed: Arc<[String]>,
}

impl<S, Q, A> Service<Request<Q>> for OriginGuard<S>
where
    S: Service<Request<Q>, Response = Response<A>>,
    S::Future: Send + 'static,
    A: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        if may_call(request.headers(), &self.listed) {
            return Box::pin(self.inner.call(request));
        }
        Box::pin(async {
            let mut refused = Response::new(A::default());
            *refused.status_mut() = StatusCode::FORBIDDEN;
            Ok(refused)
        })
    }
}

fn may_call(headers: &HeaderMap, listed: &[String]) -> bool {
    headers.get_all(ORIGIN).iter().all(|origin| {
        let Ok(origin) = origin.to_str() else { return false };
        listed.iter().any(|listed| listed == origin) || is_local(origin)
    })
}

/// Returns whether a page comes from this machine.
fn is_local(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_machine_and_listed_ones_may_call() {
        let listed = ["https://desk.example".to_owned()];
        for (origin, may) in [
            (None, true),
            (Some("http://localhost:50051"), true),
            (Some("http://127.0.0.1:8080"), true),
            (Some("http://[::1]:8080"), true),
            (Some("https://desk.example"), true),
            (Some("https://desk.example.evil.example"), false),
            (Some("http://localhost.evil.example"), false),
            (Some("http://127.0.0.1.evil.example:50051"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(may_call(&headers, &listed), may, "{origin:?}");
        }
    }
}
