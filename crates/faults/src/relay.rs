//! A TCP relay that delays, dribbles, cuts, swallows and resets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::sleep,
};

use crate::random::Dice;

/// Bytes that are passed on at once, at most.
const CHUNK_BYTES: usize = 16 * 1024;
/// How long a connection that swallows everything is kept.
const SWALLOW_FOR: Duration = Duration::from_secs(8);

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Pass,
    /// Every chunk waits.
    Delay,
    /// A few bytes at a time.
    Dribble,
    /// It ends after a while.
    Cut,
    /// It ends after a while, with a reset.
    Reset,
    /// After a while nothing passes any more, and nobody is told.
    Swallow,
}

/// What shall happen to connections that pass.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// To how many of them, in percent.
    pub percent: u32,
    /// What.
    pub fate: Fate,
    /// How long a connection that swallows everything is kept.
    pub swallow_for: Duration,
}

impl Default for Order {
    fn default() -> Self {
        Self { percent: 0, fate: Fate::Pass, swallow_for: SWALLOW_FOR }
    }
}

/// How often each fate befell a connection.
#[derive(Debug, Default)]
pub struct Fates {
    counts: [AtomicUsize; 6],
}

impl Fates {
    /// Returns the names of the fates and how often each happened.
    #[must_use]
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, usize)> {
        const NAMES: [&str; 6] = ["passed", "delayed", "dribbled", "cut", "reset", "swallowed"];
        NAMES.into_iter().zip(self.counts.iter().map(|count| count.load(Relaxed)))
    }
}

/// Passes connections on to wherever the server is, each with a fate of its own.
pub async fn run(
    listener: TcpListener,
    server: watch::Receiver<Vec<String>>,
    fates: Arc<Fates>,
    mut dice: Dice,
) {
    while let Ok((client, _)) = listener.accept().await {
        let (fate, index) = match dice.below(100) {
            0..40 => (Fate::Pass, 0),
            40..60 => (Fate::Delay, 1),
            60..70 => (Fate::Dribble, 2),
            70..80 => (Fate::Cut, 3),
            80..90 => (Fate::Reset, 4),
            _ => (Fate::Swallow, 5),
        };
        if let Some(count) = fates.counts.get(index) {
            count.fetch_add(1, Relaxed);
        }
        let Some(address) = server.borrow().first().cloned() else { continue };
        let (_, nobody) = watch::channel(Order::default());
        tokio::spawn(relay(client, address, fate, nobody, dice.clone()));
        // Each connection has choices of its own.
        dice.below(2);
    }
}

/// Passes connections on until an order says otherwise.
pub async fn obey(
    listener: TcpListener,
    server: String,
    orders: watch::Receiver<Order>,
    mut dice: Dice,
) {
    while let Ok((client, _)) = listener.accept().await {
        let mut orders = orders.clone();
        // An order is for the connections that are there when it is given.
        orders.mark_unchanged();
        tokio::spawn(relay(client, server.clone(), Fate::Pass, orders, dice.clone()));
        dice.below(2);
    }
}

async fn relay(
    client: TcpStream,
    address: String,
    mut fate: Fate,
    mut orders: watch::Receiver<Order>,
    mut dice: Dice,
) {
    let Ok(server) = TcpStream::connect(address).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let life = match fate {
        Fate::Pass | Fate::Delay | Fate::Dribble => Duration::from_secs(3600),
        Fate::Cut | Fate::Reset | Fate::Swallow => dice.millis(0, 3000),
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let passing = async {
        let up = pass(&mut from_client, &mut to_server, fate, dice.clone());
        let down = pass(&mut from_server, &mut to_client, fate, dice.clone());
        tokio::select! { () = up => {}, () = down => {} }
    };
    let mut swallow_for = SWALLOW_FOR;
    let mut own = dice.clone();
    let ended = tokio::select! {
        () = passing => true,
        () = sleep(life) => false,
        order = ordered(&mut orders, &mut own) => {
            (fate, swallow_for) = (order.fate, order.swallow_for);
            false
        }
    };
    match fate {
        Fate::Swallow if !ended => sleep(swallow_for).await,
        Fate::Reset if !ended => {
            // Both sides get a reset in place of an end.
            let halves = [from_client.reunite(to_client), from_server.reunite(to_server)];
            for stream in halves.into_iter().flatten() {
                let _ = stream.set_zero_linger();
            }
        }
        _ => {}
    }
}

/// Waits for an order that is for this connection too.
async fn ordered(orders: &mut watch::Receiver<Order>, dice: &mut Dice) -> Order {
    while orders.changed().await.is_ok() {
        let order = *orders.borrow_and_update();
        if dice.chance(order.percent) {
            return order;
        }
    }
    std::future::pending().await
}

async fn pass(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, fate: Fate, mut dice: Dice) {
    let mut bytes = vec![0; CHUNK_BYTES];
    while let Ok(count) = from.read(&mut bytes).await {
        let Some(chunk) = bytes.get(..count).filter(|chunk| !chunk.is_empty()) else { break };
        let piece = if fate == Fate::Dribble { 1 + dice.below(64) } else { CHUNK_BYTES };
        if fate == Fate::Delay {
            sleep(dice.millis(0, 60)).await;
        }
        for piece in chunk.chunks(piece) {
            if to.write_all(piece).await.is_err() {
                return;
            }
            if fate == Fate::Dribble {
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
}
