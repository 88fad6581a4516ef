//! Work on two threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Result, bail};

/// Threads; reading and training are meant to leave something of larger machines to others.
const THREADS: usize = 2;

/// Does something to every item; each thread takes the next item when it is free. The results come in the
/// order of the items.
pub(crate) fn in_parallel<I: Sync, T: Send>(
    items: &[I],
    each: impl Fn(usize, &I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let run = || -> Result<Vec<(usize, T)>> {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return Ok(done) };
            done.push((index, each(index, item)?));
        }
    };
    let mut all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..THREADS.min(items.len())).map(|_| scope.spawn(run)).collect();
        let mut all = run()?;
        for other in others {
            all.extend(other.join().unwrap_or_else(|_| bail!("a thread failed"))?);
        }
        Ok::<_, candle_core::Error>(all)
    })?;
    all.sort_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, value)| value).collect())
}
