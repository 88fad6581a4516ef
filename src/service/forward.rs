//! Any server takes any call: one about a workspace that another server has is handed on to that server, and
//! its answer back, message by message.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_LENGTH};
use http_body::{Frame, SizeHint};
use tokio::sync::watch;
use tonic::{Status, body::Body};
use tower::{Layer, Service, ServiceExt};

use super::{
    context::{WORKSPACE_DEFAULT, WORKSPACE_KEY},
    error::Error,
    peers::{Line, Peers},
};
use crate::{
    app::{self, Handle, Owner},
    domain::id::WorkspaceId,
};

/// How often a call was handed on.
const FORWARDED_KEY: &str = "evenhand-forwarded";
/// A call that was handed on so often is not handed on again. One hop is the rule; while a workspace changes
/// hands, who had it last learns first who has it now.
const HOPS_MAX: u32 = 3;
/// Calls that any server answers: they are about no workspace.
const ANYWHERE: [&str; 1] = ["/evenhand.v1.ClassificationService/"];
/// How long calls that were handed on have to end when this server stops, before they are told.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Hands calls on to the servers they belong to.
#[derive(Clone)]
pub(crate) struct ForwardLayer {
    pub(crate) handle: Handle,
    pub(crate) peers: Peers,
    pub(crate) draining: watch::Receiver<bool>,
}

impl<S> Layer<S> for ForwardLayer {
    type Service = Forward<S>;

    fn layer(&self, inner: S) -> Forward<S> {
        Forward { inner, to: self.clone() }
    }
}

/// A service some of whose calls go elsewhere.
#[derive(Clone)]
pub(crate) struct Forward<S> {
    inner: S,
    to: ForwardLayer,
}

impl<S> Service<Request<Body>> for Forward<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that was made ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let Some(workspace) = workspace(&request) else {
            return Box::pin(inner.call(request));
        };
        let to = self.to.clone();
        Box::pin(async move {
            let hops = hops(request.headers());
            match to.owner(&workspace, hops).await {
                Ok(Owner::Here) => inner.call(request).await,
                Ok(Owner::Peer(address)) => {
                    let answer = to.hand_on(&address, hops + 1, request).await;
                    Ok(answer.unwrap_or_else(|error| Status::from(error).into_http()))
                }
                Err(error) => Ok(Status::from(error).into_http()),
            }
        })
    }
}

/// Returns the workspace a call is about, if it is about one; what is none is refused where it is read.
fn workspace(request: &Request<Body>) -> Option<WorkspaceId> {
    let path = request.uri().path();
    let anywhere = ANYWHERE.iter().any(|service| path.starts_with(service));
    if anywhere || !path.starts_with("/evenhand.v1.") {
        return None;
    }
    let named = request.headers().get(WORKSPACE_KEY).map(|name| name.to_str().unwrap_or_default());
    WorkspaceId::new(named.unwrap_or(WORKSPACE_DEFAULT).to_owned()).ok()
}

/// Returns how often a call was handed on.
fn hops(headers: &HeaderMap) -> u32 {
    let told = headers.get(FORWARDED_KEY).and_then(|hops| hops.to_str().ok()?.parse().ok());
    if headers.contains_key(FORWARDED_KEY) { told.unwrap_or(HOPS_MAX) } else { 0 }
}

impl ForwardLayer {
    async fn owner(&self, workspace: &WorkspaceId, hops: u32) -> Result<Owner, Error> {
        match self.handle.owner(workspace).await? {
            Owner::Peer(_) if hops >= HOPS_MAX => Err(app::Error::Moved.into()),
            owner => Ok(owner),
        }
    }

    async fn hand_on(
        &self,
        address: &str,
        hops: u32,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, Error> {
        let line = self.peers.line(address)?;
        let mut channel = line.channel.clone();
        let headers = request.headers_mut();
        headers.insert(FORWARDED_KEY, HeaderValue::from(hops));
        headers.insert("te", HeaderValue::from_static("trailers"));
        // Its messages may be framed anew.
        headers.remove(CONTENT_LENGTH);
        let answer = async { channel.ready().await?.call(request).await };
        let answer = answer.await.map_err(|error| {
            tracing::debug!(%error, address, "a server that has a workspace does not answer");
            Error::from(app::Error::Moved)
        })?;
        let mut draining = self.draining.clone();
        let told = async move {
            // Without a sender the server is gone, which is as well.
            let _ = draining.wait_for(|draining| *draining).await;
            tokio::time::sleep(END_WITHIN).await;
        };
        Ok(answer
            .map(|body| Body::new(Relayed { body: Some(body), told: Box::pin(told), _line: line })))
    }
}

/// The body of an answer from another server. It ends with this server: who waits for more is told to ask
/// again, and the other server goes on.
struct Relayed {
    /// `None` once it has ended.
    body: Option<Body>,
    told: Pin<Box<dyn Future<Output = ()> + Send>>,
    _line: Line,
}

impl http_body::Body for Relayed {
    type Data = <Body as http_body::Body>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            let Some(Err(error)) = frame else { return Poll::Ready(frame) };
            // The other server went away in the middle: the caller is to ask again, not to give up.
            tracing::debug!(%error, "an answer broke off");
            self.body = None;
            return Poll::Ready(Some(Ok(trailers(app::Error::Moved))));
        }
        ready!(self.told.as_mut().poll(context));
        self.body = None;
        Poll::Ready(Some(Ok(trailers(app::Error::Stopping))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Returns the end of a stream that says why it ended.
fn trailers<T>(error: app::Error) -> Frame<T> {
    let mut trailers = HeaderMap::new();
    // Only a status with a key or value that HTTP does not take fails.
    let _ = Status::from(Error::from(error)).add_header(&mut trailers);
    Frame::trailers(trailers)
}
