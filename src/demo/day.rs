//! One day: people come in, tickets come in, and in the end everybody goes home.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    End, Error, WORKSPACE,
    board::Board,
    client::Client,
    people::{self, Floor},
    progress::Progress,
    submit::{self, Load, Submission},
    workspace::Workspace,
};

/// How often the demo looks how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Without any answer for so long, nothing more will happen. Longer than any time of the policy.
const QUIET_MAX: Duration = Duration::from_secs(45);
/// Longest demo: so long, and so long more for each ticket.
const TIME_MAX: (Duration, Duration) = (Duration::from_secs(120), Duration::from_millis(80));

/// People at work.
pub(super) type People = JoinSet<Result<(), Status>>;

/// Lets all people begin their day, each with a connection of their own.
///
/// # Errors
/// [`Error::Connect`] when the server does not answer.
pub(super) async fn begin(
    address: SocketAddr,
    workspace: &Workspace,
    load: &Load<'_>,
    board: &Arc<Board>,
) -> Result<People, Error> {
    let floor = Arc::new(Floor::new(Arc::clone(board), workspace, load));
    let mut people = JoinSet::new();
    // Chance has a stream for each wave of tickets, and far from those one for each person.
    for (stream, person) in (1_u64 << 32..).zip(&workspace.people) {
        let client = Client::connect(address, WORKSPACE, person.id).await?;
        let mut rng = ChaCha8Rng::seed_from_u64(load.seed);
        rng.set_stream(stream);
        people.spawn(people::work(person.clone(), client, Arc::clone(&floor), rng));
    }
    Ok(people)
}

/// Hands the tickets in and waits until nothing more will happen; then says stop.
pub(super) async fn run(
    client: &Client,
    load: &Load<'_>,
    board: &Board,
    progress: &mut Progress,
    interrupt: &CancellationToken,
) -> (Result<Submission, Status>, End) {
    let all_in = AtomicBool::new(false);
    let submitting = async {
        let submission = submit::submit(client, load, board).await;
        all_in.store(true, Relaxed);
        if submission.is_err() {
            board.stop.cancel();
        }
        submission
    };
    let watching = async {
        let end = watch(load.count, &all_in, board, progress, interrupt).await;
        board.stop.cancel();
        end
    };
    tokio::join!(submitting, watching)
}

async fn watch(
    count: usize,
    all_in: &AtomicBool,
    board: &Board,
    progress: &mut Progress,
    interrupt: &CancellationToken,
) -> End {
    let begin = Instant::now();
    let tickets = u32::try_from(count).unwrap_or(u32::MAX);
    let time_max = TIME_MAX.0 + TIME_MAX.1.saturating_mul(tickets);
    let (mut pulse, mut moved) = (0, begin);
    let mut look = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = interrupt.cancelled() => return End::Interrupted,
        }
        progress.show(board, count);
        if board.pulse() != pulse {
            (pulse, moved) = (board.pulse(), Instant::now());
        }
        let all_closed = board.closed() >= board.acknowledged.load(Relaxed);
        if board.stop.is_cancelled() || (all_in.load(Relaxed) && all_closed) {
            return End::Done;
        }
        if moved.elapsed() > QUIET_MAX {
            return End::Quiet;
        }
        if begin.elapsed() > time_max {
            return End::OutOfTime;
        }
    }
}

/// Waits for everybody to leave; what is read back afterwards stands still.
pub(super) async fn end(mut people: People, board: &Board) {
    while let Some(left) = people.join_next().await {
        if let Ok(Err(status)) = left {
            board.note_trouble("at the desk", &status);
        }
    }
}
