//! Around every call: a span, its duration and status, and what tonic itself answers made to carry a
//! reason like every other error. A panic becomes INTERNAL. Never logs a message.

mod body;

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::FutureExt;
use http::{HeaderMap, Request, Response};
use prost::Message;
use prost_types::FileDescriptorSet;
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::Instrument;

use self::body::ObservedBody;
use super::{context::WORKSPACE_KEY, error::Error};
use crate::{api::FILE_DESCRIPTOR_SET, domain::id::WorkspaceId};

/// Label of methods that are none of ours, so that callers cannot invent label values.
const OTHER: &str = "other";

/// Observes every call of a service.
#[derive(Clone, Debug)]
pub(crate) struct ObserveLayer {
    methods: Arc<BTreeSet<Arc<str>>>,
}

impl ObserveLayer {
    /// Returns the layer for the methods of `evenhand.v1`.
    pub(crate) fn new() -> Self {
        Self { methods: Arc::new(methods().unwrap_or_default()) }
    }
}

/// Returns the paths of our methods.
fn methods() -> Result<BTreeSet<Arc<str>>, prost::DecodeError> {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)?.file;
    let paths = files.iter().flat_map(|file| {
        file.service.iter().flat_map(move |service| {
            let of_service = service.method.iter();
            of_service.map(move |method| {
                format!("/{}.{}/{}", file.package(), service.name(), method.name()).into()
            })
        })
    });
    Ok(paths.collect())
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { inner, methods: Arc::clone(&self.methods) }
    }
}

/// A service that is observed.
#[derive(Clone, Debug)]
pub(crate) struct Observe<S> {
    inner: S,
    methods: Arc<BTreeSet<Arc<str>>>,
}

impl<S> Service<Request<Body>> for Observe<S>
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
        let method = self.methods.get(request.uri().path()).cloned();
        let ours = request.uri().path().starts_with("/evenhand.v1.");
        let call = Call::start(method, request.headers());
        let span = call.span.clone();
        // The service that was made ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let answer = async move { inner.call(request).await };
        let observed = async move {
            let mut call = call;
            let response = match AssertUnwindSafe(answer).catch_unwind().await {
                Ok(response) => response?,
                Err(_) => Status::from(Error::Internal).into_http(),
            };
            let response = if ours { with_reason(response) } else { response };
            // A status in the headers is the whole answer; otherwise it ends the body.
            if let Some(code) = code_in(response.headers()) {
                call.end(code);
            }
            Ok(response.map(|body| Body::new(ObservedBody::new(body, call))))
        };
        Box::pin(observed.instrument(span))
    }
}

/// Gives a status that tonic made itself the reason it lacks.
fn with_reason(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    let Some(code) = code_in(headers) else { return response };
    if code == Code::Ok || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return response;
    }
    let has_message = headers.get(Status::GRPC_MESSAGE).is_some_and(|text| !text.is_empty());
    let error = match code {
        Code::Unimplemented if has_message => Error::EncodingUnsupported,
        Code::Unimplemented => Error::MethodUnknown,
        Code::OutOfRange | Code::ResourceExhausted => Error::MessageTooLarge,
        Code::Internal | Code::InvalidArgument => Error::Malformed,
        _ => return response,
    };
    let accepted = headers.get("grpc-accept-encoding").cloned();
    let mut response = Status::from(error).into_http::<Body>();
    if let Some(accepted) = accepted {
        response.headers_mut().insert("grpc-accept-encoding", accepted);
    }
    response
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// One call from its headers to its status.
struct Call {
    method: Arc<str>,
    started: Instant,
    span: tracing::Span,
    /// `None` as long as it goes on.
    code: Option<Code>,
}

impl Call {
    fn start(method: Option<Arc<str>>, headers: &HeaderMap) -> Self {
        let method = method.unwrap_or_else(|| OTHER.into());
        let workspace = headers.get(WORKSPACE_KEY).and_then(|value| value.to_str().ok());
        let workspace = workspace.and_then(|text| WorkspaceId::new(text).ok());
        let workspace = workspace.as_ref().map_or("default", WorkspaceId::as_str);
        let span = tracing::info_span!("call", method = &*method, workspace);
        metrics::gauge!("evenhand_calls_active", "method" => Arc::clone(&method)).increment(1.0);
        Self { method, started: Instant::now(), span, code: None }
    }

    /// Notes how the call ended; the first word counts.
    fn end(&mut self, code: Code) {
        self.code.get_or_insert(code);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // A caller who leaves early sees no status at all.
        let code = self.code.unwrap_or(Code::Cancelled);
        let secs = self.started.elapsed().as_secs_f64();
        let method = || Arc::clone(&self.method);
        let name = code_name(code);
        metrics::gauge!("evenhand_calls_active", "method" => method()).decrement(1.0);
        metrics::histogram!("evenhand_call_seconds", "method" => method(), "code" => name)
            .record(secs);
        let _entered = self.span.enter();
        match code {
            Code::Ok | Code::Cancelled => tracing::debug!(code = name, secs, "call ended"),
            Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable => {
                tracing::warn!(code = name, secs, "call failed");
            }
            _ => tracing::info!(code = name, secs, "call refused"),
        }
    }
}

/// Returns the code as gRPC writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_methods_of_the_api_are_label_values() {
        let methods = methods().unwrap();
        assert!(methods.contains("/evenhand.v1.TicketService/SubmitTicket"));
        assert!(!methods.contains("/evenhand.v1.TicketService/Nothing"));
        assert!(methods.len() > 30);
    }

    #[test]
    fn what_tonic_answers_gets_a_reason_and_our_own_stays() {
        for (status, reason) in [
            (Status::unimplemented(""), "METHOD_UNKNOWN"),
            (Status::unimplemented("no zstd here"), "ENCODING_UNSUPPORTED"),
            (Status::out_of_range("too large"), "MESSAGE_TOO_LARGE"),
            (Status::internal("cannot decode"), "REQUEST_MALFORMED"),
            (Status::from(Error::ActorMissing), "ACTOR_MISSING"),
        ] {
            let response = with_reason(status.into_http());
            let status = Status::from_header_map(response.headers()).unwrap();
            let details = tonic_types::StatusExt::get_details_error_info(&status).unwrap();
            assert_eq!(details.reason, reason);
        }
    }
}
