//! A receiver: connections, certificates, and requests to it.

use std::{
    error::Error,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{
    HeaderValue, Request, Response, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower::Service;

use super::{WebhookOptions, address::Address, signature::Signer};
use crate::{
    domain::time::UnixMillis,
    events::{self, CloudEvent, SinkError},
};

/// How we name ourselves.
const AGENT: &str = concat!("evenhand/", env!("CARGO_PKG_VERSION"));
/// How long an unused connection is kept: less than most servers keep theirs.
const IDLE: Duration = Duration::from_secs(30);
/// Largest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Most of an answer's body that is read, so that its connection can be used again, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long the body of an answer may take, when the event is taken already.
const BODY_WITHIN: Duration = Duration::from_secs(1);
/// Most of another program's words in an error, in characters.
const WORDS_CHARS_MAX: usize = 300;

/// A receiver.
pub(super) struct Endpoint {
    address: Address,
    source: String,
    signer: Signer,
    client: Client<Within<HttpsConnector<HttpConnector>>, Full<Bytes>>,
}

impl Endpoint {
    /// Makes ready to send; connects with the first event.
    pub(super) fn new(options: &WebhookOptions) -> Result<Self, SinkError> {
        let unfit = |what: &str, why: &str| SinkError::Unfit(format!("{what} {why}"));
        let address = Address::new(&options.url, options.allow_http)
            .map_err(|why| unfit("webhooks.url", why))?;
        let secrets = std::iter::once(&options.secret).chain(&options.previous_secret);
        let signer = Signer::new(secrets.map(String::as_str))
            .map_err(|why| unfit("a secret of webhooks", why))?;
        // Whoever waits gives up before.
        let within = Duration::from_secs(options.timeout_secs.saturating_add(1));
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&address, options.ca_file.as_deref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(Within { connector, within });
        Ok(Self { address, source: options.source.clone(), signer, client })
    }

    /// Sends an event; returns when the head of the answer is there.
    pub(super) async fn send(
        &self,
        event: CloudEvent,
        now: UnixMillis,
    ) -> Result<Response<Incoming>, SinkError> {
        let request = self.request(event, now);
        let request =
            request.map_err(|_| SinkError::Unfit("it takes no such header".to_owned()))?;
        self.client.request(request).await.map_err(|error| failed(&error))
    }

    fn request(&self, event: CloudEvent, now: UnixMillis) -> http::Result<Request<Full<Bytes>>> {
        // Source and id together name an event. The full stops between what is signed are the only ones before the body.
        let id = format!("{}/{}", self.source, event.id).replace('.', "%2E");
        let timestamp = now.0.div_euclid(1000);
        let signature = self.signer.sign(&id, timestamp, &event.body);
        let mut request = Request::post(self.address.uri.clone())
            .header(CONTENT_TYPE, events::CONTENT_TYPE)
            .header(USER_AGENT, AGENT)
            .header("webhook-id", id)
            .header("webhook-timestamp", HeaderValue::from(timestamp))
            .header("webhook-signature", signature);
        if let Some(authorization) = &self.address.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        request.body(Full::new(event.body.into()))
    }
}

/// Reads what is left of an answer, within bounds, and forgets it.
pub(super) async fn drain(mut body: Incoming) {
    let read = async {
        let mut left = BODY_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // What comes later ends with its connection.
    let _ = tokio::time::timeout(BODY_WITHIN, read).await;
}

/// Returns what is trusted: the system's certificates, and those of a file.
fn tls(address: &Address, ca_file: Option<&Path>) -> Result<ClientConfig, SinkError> {
    let mut roots = RootCertStore::empty();
    if address.uri.scheme_str() == Some("https") {
        // What cannot be read of the system's certificates is not trusted, which is all it means.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(file) = ca_file {
            let unfit = |why: String| {
                SinkError::Unfit(format!("webhooks.ca_file {}: {why}", file.display()))
            };
            let certificates = CertificateDer::pem_file_iter(file);
            for certificate in certificates.map_err(|error| unfit(error.to_string()))? {
                let certificate = certificate.map_err(|error| unfit(error.to_string()))?;
                roots.add(certificate).map_err(|error| unfit(error.to_string()))?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SinkError::Unfit(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Says why there is no answer. The causes are of sockets, names, certificates and the form of HTTP; none knows an event.
fn failed(error: &legacy::Error) -> SinkError {
    let (mut words, mut is_certificate) = (Vec::new(), false);
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if words.last() != Some(&text) {
            words.push(text);
        }
        is_certificate |= matches!(of_tls(inner), Some(rustls::Error::InvalidCertificate(_)));
        cause = inner.source();
    }
    let words: String = words.join(": ").chars().take(WORDS_CHARS_MAX).collect();
    let words = if words.is_empty() { "the connection broke".to_owned() } else { words };
    if is_certificate { SinkError::Unfit(words) } else { SinkError::Down(words) }
}

/// Returns the error of TLS in an error: errors of sockets may hold others.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.downcast_ref().or_else(|| of_tls(inner?))
}

/// Connects within a time, even when nobody waits for the connection any more.
#[derive(Clone)]
struct Within<C> {
    connector: C,
    within: Duration,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl<C> Service<Uri> for Within<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
    C::Response: Send,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(self.within, self.connector.call(uri));
        Box::pin(async move { connecting.await? })
    }
}
