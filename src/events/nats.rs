//! NATS JetStream as a sink.
//!
//! An event's identifier goes along as `Nats-Msg-Id`: within its window the stream keeps what it has already from
//! coming in twice. Acknowledged means that the stream has stored it.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, HeaderMap, ServerAddr,
    connection::State,
    jetstream::{
        Context,
        context::{
            ContextBuilder, GetStreamErrorKind, PublishError, PublishErrorKind, RequestErrorKind,
        },
        stream::{Config, StorageType},
    },
};

use super::{CONTENT_TYPE, CloudEvent, Options, Receipt, Sink, SinkError, Start};

/// How long the server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long a stream made here keeps events: without a bound it would fill the disk one day.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// JetStream's number of the error that there is no such stream.
const NO_STREAM: u64 = 10_059;

/// A stream of JetStream.
pub(super) struct Nats {
    options: Options,
    /// The connection, once there was one; the client makes it anew when it breaks.
    connection: Mutex<Option<(Client, Context)>>,
}

impl Nats {
    pub(super) fn new(options: Options) -> Self {
        Self { options, connection: Mutex::default() }
    }

    /// Returns the context of a connection that is there now.
    fn connected(&self) -> Result<Option<Context>, SinkError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        match &*connection {
            // What is sent now would wait in the client, and come late.
            Some((client, _)) if client.connection_state() != State::Connected => {
                Err(SinkError::Down("the connection broke".to_owned()))
            }
            connection => Ok(connection.as_ref().map(|(_, context)| context.clone())),
        }
    }

    async fn connect(&self) -> Result<Context, SinkError> {
        if let Some(context) = self.connected()? {
            return Ok(context);
        }
        let unfit = |error: std::io::Error| SinkError::Unfit(error.to_string());
        let urls = self.options.nats_url.split(',').map(|url| url.trim().parse());
        let servers: Vec<ServerAddr> = urls.collect::<Result<_, _>>().map_err(unfit)?;
        let mut connect = ConnectOptions::new()
            .name("evenhand")
            .connection_timeout(ANSWER_WITHIN)
            .request_timeout(Some(ANSWER_WITHIN));
        let credentials = servers.iter().find_map(|server| {
            Some((server.username()?.to_owned(), server.password().map(str::to_owned)))
        });
        connect = match credentials {
            Some((user, Some(password))) => connect.user_and_password(user, password),
            Some((token, None)) => connect.token(token),
            None => connect,
        };
        if let Some(file) = &self.options.ca_file {
            connect = connect.add_root_certificates(file.clone());
        }
        let client = connect.connect(servers).await;
        let client = client.map_err(|error| SinkError::Down(error.to_string()))?;
        let context = ContextBuilder::new()
            .timeout(ANSWER_WITHIN)
            .ack_timeout(ANSWER_WITHIN)
            .build(client.clone());
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        *connection = Some((client, context.clone()));
        Ok(context)
    }

    fn subjects(&self) -> String {
        format!("{}.>", self.options.subject_prefix)
    }

    async fn make_stream(&self, context: &Context) -> Result<(), SinkError> {
        let config = Config {
            name: self.options.stream.clone(),
            subjects: vec![self.subjects()],
            storage: StorageType::File,
            duplicate_window: Duration::from_secs(self.options.duplicate_window_secs),
            max_age: KEPT,
            ..Config::default()
        };
        context.create_stream(config).await.map_err(|error| {
            SinkError::Refused(format!("stream {} cannot be made: {error}", self.options.stream))
        })?;
        tracing::info!(stream = self.options.stream, "made the stream for events");
        Ok(())
    }

    /// Checks a stream that is there.
    fn check(&self, config: &Config) -> Result<(), SinkError> {
        let (stream, wanted) = (&self.options.stream, self.subjects());
        if !config.subjects.iter().any(|subject| covers(subject, &wanted)) {
            let has = config.subjects.join(", ");
            let what = format!("stream {stream} takes {has}; it must take {wanted}");
            return Err(SinkError::Unfit(what));
        }
        if config.no_ack {
            let what = format!("stream {stream} acknowledges nothing; it must");
            return Err(SinkError::Unfit(what));
        }
        let window = config.duplicate_window.as_secs();
        if window < self.options.duplicate_window_secs {
            tracing::warn!(
                stream,
                window,
                "the stream forgets identifiers earlier than configured"
            );
        }
        Ok(())
    }
}

impl Sink for Nats {
    const KIND: &'static str = "nats";
    const START: Start = Start::First;

    fn name(&self) -> String {
        format!("nats/{}", self.options.stream)
    }

    async fn prepare(&self) -> Result<(), SinkError> {
        let context = self.connect().await?;
        let stream = &self.options.stream;
        let error = match context.get_stream(stream).await {
            Ok(found) => return self.check(&found.cached_info().config),
            Err(error) => error,
        };
        match error.kind() {
            GetStreamErrorKind::JetStream(said) if said.error_code().0 == NO_STREAM => {
                if self.options.create_stream {
                    return self.make_stream(&context).await;
                }
                Err(SinkError::Unfit(format!("there is no stream {stream}")))
            }
            GetStreamErrorKind::JetStream(said) => {
                Err(SinkError::Refused(format!("stream {stream}: {said}")))
            }
            GetStreamErrorKind::Request => Err(unanswered(&error)),
            kind => Err(SinkError::Unfit(format!("stream {stream}: {kind}"))),
        }
    }

    async fn deliver(&self, event: CloudEvent) -> Result<Receipt, SinkError> {
        let never = || SinkError::Down("there was no connection yet".to_owned());
        let context = self.connected()?.ok_or_else(never)?;
        let CloudEvent { id, path, body } = event;
        let subject = format!("{}.{}", self.options.subject_prefix, path.join("."));
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id);
        headers.insert("Content-Type", CONTENT_TYPE);
        let sent = context.publish_with_headers(subject, headers, body.into()).await;
        let stored = sent.map_err(|error| refused(&error))?.await;
        let stored = stored.map_err(|error| refused(&error))?;
        if stored.stream != self.options.stream {
            let what = format!("the events go to stream {}", stored.stream);
            return Err(SinkError::Unfit(what));
        }
        Ok(if stored.duplicate { Receipt::Duplicate } else { Receipt::New })
    }
}

/// Says why a question about a stream has no answer.
fn unanswered(error: &(dyn std::error::Error + 'static)) -> SinkError {
    use async_nats::jetstream::context::RequestError;
    let request = error.source().and_then(|source| source.downcast_ref::<RequestError>());
    match request.map(RequestError::kind) {
        Some(RequestErrorKind::NoResponders) => {
            SinkError::Unfit("the server has no JetStream".to_owned())
        }
        Some(RequestErrorKind::TimedOut) => SinkError::Silent(ANSWER_WITHIN.as_secs()),
        _ => SinkError::Down(error.to_string()),
    }
}

fn refused(error: &PublishError) -> SinkError {
    match error.kind() {
        PublishErrorKind::TimedOut => SinkError::Silent(ANSWER_WITHIN.as_secs()),
        PublishErrorKind::BrokenPipe => SinkError::Down("the connection broke".to_owned()),
        PublishErrorKind::StreamNotFound => SinkError::Refused("no stream takes it".to_owned()),
        _ => SinkError::Refused(error.to_string()),
    }
}

/// Returns whether everything that one pattern of subjects takes, `wanted`, is taken by another.
fn covers(pattern: &str, wanted: &str) -> bool {
    let (mut pattern, mut wanted) = (pattern.split('.'), wanted.split('.'));
    loop {
        match (pattern.next(), wanted.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_fits_when_it_takes_every_subject() {
        for (pattern, fits) in [
            ("evenhand.v1.>", true),
            ("evenhand.>", true),
            (">", true),
            ("*.v1.>", true),
            ("evenhand.v1.*", false),
            ("evenhand.v1", false),
            ("evenhand.v2.>", false),
            ("evenhand.v1.acme.>", false),
        ] {
            assert_eq!(covers(pattern, "evenhand.v1.>"), fits, "{pattern}");
        }
    }
}
