//! A receiver of webhooks that checks what it gets, and does as it is told.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    clock::{Clock, SystemClock},
    events::WebhookOptions,
};

/// What the receiver and the sender know, of 32 bytes.
pub(super) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// Another secret.
pub(super) const OTHER: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

/// What to do with a request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Take it when the status is a success, and answer with this head and body.
    Answer(u16, &'static str, &'static str),
    /// Answer with this status if the body has this text, else take it.
    AnswerIf(u16, String),
    /// Say nothing.
    Hang,
    /// Send a head byte by byte, for ever.
    Drip,
    /// Send a head without an end, as fast as it goes.
    Flood,
    /// Take it, say so, and send a body without an end.
    Endless,
    /// Take it, say so, and never send the body that was announced.
    NoBody,
    /// Take it, and close the connection without an answer.
    TakeAndBreak,
}

/// Takes everything.
pub(super) const TAKE: Act = Act::Answer(204, "", "");

/// A request whose signature fits.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) target: String,
    pub(super) event: Value,
}

impl Got {
    pub(super) fn id(&self) -> String {
        self.event["id"].as_str().unwrap().to_owned()
    }
}

#[derive(Default)]
pub(super) struct Held {
    /// What is done with the next requests, before `always`.
    pub(super) next: VecDeque<Act>,
    pub(super) always: Option<Act>,
    /// Requests that came, whatever was done with them.
    pub(super) requests: usize,
    pub(super) connections: usize,
    /// How often [`Act::AnswerIf`] said no.
    pub(super) refused: usize,
    /// Bytes of bodies without an end.
    pub(super) flooded: usize,
    /// Those that did not fit.
    pub(super) forged: usize,
    pub(super) taken: Vec<Got>,
}

/// A receiver of its own for a test.
pub(super) struct Receiver {
    pub(super) held: Arc<Mutex<Held>>,
    pub(super) address: SocketAddr,
    secret: &'static str,
    tls: Option<TlsAcceptor>,
    serving: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        Self::with(SECRET, None).await
    }

    pub(super) async fn with(secret: &'static str, tls: Option<TlsAcceptor>) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let held = Arc::default();
        let mut receiver = Self { held, address, secret, tls, serving: None };
        receiver.listen().await;
        receiver
    }

    /// Listens, again where it did before.
    pub(super) async fn listen(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (held, tls, secret) = (Arc::clone(&self.held), self.tls.clone(), self.secret);
        self.serving = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                held.lock().unwrap().connections += 1;
                connections.spawn(connection(stream, tls.clone(), Arc::clone(&held), secret));
            }
        }));
    }

    /// Ends with all its connections.
    pub(super) async fn die(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    pub(super) fn options(&self) -> WebhookOptions {
        WebhookOptions {
            url: format!("http://{}/hook?a=b", self.address),
            secret: SECRET.to_owned(),
            timeout_secs: 1,
            ..WebhookOptions::default()
        }
    }

    pub(super) fn always(&self, act: Act) {
        self.held.lock().unwrap().always = Some(act);
    }

    pub(super) fn next(&self, acts: impl IntoIterator<Item = Act>) {
        self.held.lock().unwrap().next.extend(acts);
    }

    pub(super) fn requests(&self) -> usize {
        self.held.lock().unwrap().requests
    }

    pub(super) fn taken(&self) -> Vec<Got> {
        self.held.lock().unwrap().taken.clone()
    }

    /// Returns the identifiers of what was taken, in order, and how often something came again.
    pub(super) fn ids(&self) -> (Vec<String>, usize) {
        let (mut ids, mut again) = (Vec::new(), 0);
        for got in self.taken() {
            let id = got.id();
            if ids.contains(&id) {
                again += 1;
            } else {
                ids.push(id);
            }
        }
        (ids, again)
    }

    /// Waits until so many requests have come.
    pub(super) async fn requested(&self, at_least: usize) {
        let wait = async {
            while self.requests() < at_least {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("requests are missing");
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    held: Arc<Mutex<Held>>,
    secret: &'static str,
) {
    stream.set_nodelay(true).unwrap();
    match tls {
        None => _ = serve(stream, &held, secret).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                let _ = serve(stream, &held, secret).await;
            }
        }
    }
}

/// Answers requests until one side closes.
async fn serve<S>(stream: S, held: &Mutex<Held>, secret: &str) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    loop {
        let (line, headers, body) = request(&mut stream).await?;
        let (act, fits) = note(held, secret, &line, headers, body);
        if !fits {
            let _ = stream.write_all(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n").await;
            continue;
        }
        match act {
            Act::Answer(status, head, body) => {
                let length = body.len();
                let text =
                    format!("HTTP/1.1 {status} Said\r\n{head}content-length: {length}\r\n\r\n");
                let text =
                    if status == 204 { format!("HTTP/1.1 204 Taken\r\n{head}\r\n") } else { text };
                stream.write_all(format!("{text}{body}").as_bytes()).await.ok()?;
            }
            Act::AnswerIf(..) => unreachable!("it was decided"),
            Act::Hang => std::future::pending().await,
            Act::Drip => loop {
                stream.write_all(b"H").await.ok()?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            },
            Act::Flood => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nx-long: ").await.ok()?;
                loop {
                    stream.write_all(&[b'a'; 4096]).await.ok()?;
                }
            }
            Act::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
                loop {
                    stream.write_all(&[b'a'; 4096]).await.ok()?;
                    held.lock().unwrap().flooded += 4096;
                }
            }
            Act::NoBody => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n").await.ok()?;
                std::future::pending().await
            }
            Act::TakeAndBreak => return None,
        }
    }
}

/// Reads a request: its first line, its headers and its body.
async fn request<S>(stream: &mut BufReader<S>) -> Option<(String, BTreeMap<String, String>, String)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut first = String::new();
    stream.read_line(&mut first).await.ok().filter(|bytes| *bytes > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|bytes| *bytes > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        assert_eq!(headers.insert(name.to_lowercase(), value.to_owned()), None, "{name} twice");
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some((first, headers, String::from_utf8(body).unwrap()))
}

/// Checks a request as a receiver should; returns what to do, and whether it fits.
fn note(
    held: &Mutex<Held>,
    secret: &str,
    line: &str,
    headers: BTreeMap<String, String>,
    body: String,
) -> (Act, bool) {
    let mut held = held.lock().unwrap();
    held.requests += 1;
    let (id, timestamp) = (&headers["webhook-id"], &headers["webhook-timestamp"]);
    let expected = format!("v1,{}", signature(secret, &format!("{id}.{timestamp}.{body}")));
    let is_signed = headers["webhook-signature"].split(' ').any(|one| one == expected);
    let now = SystemClock.now().0 / 1000;
    let is_now = timestamp.parse::<i64>().is_ok_and(|secs| (secs - now).abs() <= 5);
    if !is_signed || !is_now {
        held.forged += 1;
        return (TAKE, false);
    }
    let mut parts = line.split(' ');
    assert_eq!(parts.next(), Some("POST"));
    let target = parts.next().unwrap().to_owned();
    let act = held.next.pop_front().or_else(|| held.always.clone()).unwrap_or(TAKE);
    let act = match act {
        Act::AnswerIf(status, text) if body.contains(&text) => {
            held.refused += 1;
            Act::Answer(status, "", "")
        }
        Act::AnswerIf(..) => TAKE,
        act => act,
    };
    let takes = match act {
        Act::Answer(status, ..) => (200..300).contains(&status),
        Act::Endless | Act::NoBody | Act::TakeAndBreak => true,
        _ => false,
    };
    if takes {
        let event = serde_json::from_str(&body).unwrap();
        held.taken.push(Got { headers, target, event });
    }
    (act, true)
}

/// HMAC-SHA256 as RFC 2104 defines it, in base64.
pub(super) fn signature(secret: &str, message: &str) -> String {
    let mut key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    assert!(key.len() <= 64);
    key.resize(64, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    STANDARD.encode(Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}
