//! The body of an answer, watched for the status that ends it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{Call, code_in};
use crate::service::error::Error;

/// The body of an answer; its end ends the call.
pub(super) struct ObservedBody {
    inner: Body,
    call: Call,
    broken: bool,
}

impl ObservedBody {
    pub(super) fn new(inner: Body, call: Call) -> Self {
        Self { inner, call, broken: false }
    }

    /// Ends a stream whose code panicked, as a failed call.
    fn broken(&mut self) -> Frame<Bytes> {
        self.broken = true;
        let status = Status::from(Error::Internal);
        self.call.end(status.code());
        let mut trailers = HeaderMap::new();
        if status.add_header(&mut trailers).is_err() {
            tracing::error!("the status of a failed stream could not be written");
        }
        Frame::trailers(trailers)
    }
}

impl http_body::Body for ObservedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.broken {
            return Poll::Ready(None);
        }
        let span = self.call.span.clone();
        let _entered = span.enter();
        let inner = Pin::new(&mut self.inner);
        let polled = catch_unwind(AssertUnwindSafe(move || inner.poll_frame(context)));
        let Ok(polled) = polled else { return Poll::Ready(Some(Ok(self.broken()))) };
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(code) = frame.trailers_ref().and_then(code_in)
        {
            self.call.end(code);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.broken || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;

    #[tokio::test]
    async fn a_stream_that_panics_ends_as_an_internal_error() {
        let broken = futures::stream::poll_fn(|_| -> Poll<Option<Result<Bytes, Status>>> {
            panic!("a bug")
        });
        let inner = Body::new(axum::body::Body::from_stream(broken));
        let mut body = ObservedBody::new(inner, Call::start(None, &HeaderMap::new()));
        let mut next = async || std::future::poll_fn(|c| Pin::new(&mut body).poll_frame(c)).await;
        let frame = next().await.unwrap().unwrap();
        let status = Status::from_header_map(frame.trailers_ref().unwrap()).unwrap();
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(status.get_details_error_info().unwrap().reason, "INTERNAL_ERROR");
        assert!(next().await.is_none());
    }
}
