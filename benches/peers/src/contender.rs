//! Who is measured, and by which clock.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{
    measure::median,
    work::{Batch, Work},
};

/// Somebody who turns texts into vectors.
pub(crate) trait Contender {
    /// Its name in the table.
    fn name(&self) -> &str;

    /// Returns the seconds of one pass over the work, the median of as many as it asks for.
    fn seconds(&mut self, work: &Work) -> Result<f64>;

    /// Returns the mean of each text's states in the last layer, in the order of the tickets.
    fn means(&mut self, work: &Work) -> Result<Vec<Vec<f32>>>;
}

/// A contender within this process.
pub(crate) trait Reader {
    /// Its name in the table.
    fn name(&self) -> &str;

    /// Returns the mean of each text's states, at any length above zero.
    fn read(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>>;

    /// Returns the batches of the work that it reads.
    fn batches<'a>(&self, work: &'a Work) -> &'a [Batch] {
        &work.padded
    }
}

/// What time is taken of.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// The processor's work for the process, on all of its threads.
    Processor,
    /// The clock on the wall.
    Elapsed,
}

impl Clock {
    /// Says what the seconds are.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Processor => "times are those that the processor worked for the contender",
            Self::Elapsed => "times are those that passed",
        }
    }

    /// Returns the time since some moment.
    pub(crate) fn now(self) -> Result<Duration> {
        let id = match self {
            Self::Processor => libc::CLOCK_PROCESS_CPUTIME_ID,
            Self::Elapsed => libc::CLOCK_MONOTONIC,
        };
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a timespec that lives until after the call.
        let failed = unsafe { libc::clock_gettime(id, &raw mut time) };
        ensure!(failed == 0, "the clock cannot be read");
        Ok(Duration::new(time.tv_sec.try_into()?, time.tv_nsec.try_into()?))
    }
}

/// Measures a reader.
pub(crate) struct InProcess<R> {
    reader: R,
    clock: Clock,
}

impl<R: Reader> InProcess<R> {
    /// Measures it by a clock.
    pub(crate) fn new(reader: R, clock: Clock) -> Self {
        Self { reader, clock }
    }
}

impl<R: Reader> Contender for InProcess<R> {
    fn name(&self) -> &str {
        self.reader.name()
    }

    fn seconds(&mut self, work: &Work) -> Result<f64> {
        let batches = self.reader.batches(work);
        // What the one before left in the caches is not the work of this one.
        self.reader.read(&batches[0])?;
        let mut seconds = Vec::with_capacity(work.passes);
        for _ in 0..work.passes {
            let start = self.clock.now()?;
            for batch in batches {
                std::hint::black_box(self.reader.read(batch)?);
            }
            seconds.push((self.clock.now()? - start).as_secs_f64());
        }
        Ok(median(&seconds))
    }

    fn means(&mut self, work: &Work) -> Result<Vec<Vec<f32>>> {
        let mut means = vec![Vec::new(); work.tickets()];
        for batch in self.reader.batches(work) {
            for (ticket, mean) in batch.tickets.iter().zip(self.reader.read(batch)?) {
                means[*ticket] = mean;
            }
        }
        Ok(means)
    }
}

/// Returns the mean of each text's states, where they lie text by text, padding included.
pub(crate) fn pooled(states: &[f32], batch: &Batch) -> Vec<Vec<f32>> {
    let width = states.len() / (batch.texts.len() * batch.longest);
    let texts = states.chunks_exact(batch.longest * width);
    let mean = |(text, tokens): (&[f32], &[u32])| {
        let mut mean = vec![0.0; width];
        for state in text.chunks_exact(width).take(tokens.len()) {
            mean.iter_mut().zip(state).for_each(|(sum, x)| *sum += x);
        }
        let share = 1.0 / tokens.len() as f32;
        mean.iter_mut().for_each(|sum| *sum *= share);
        mean
    };
    texts.zip(batch.texts.iter().map(|text| text.ids())).map(mean).collect()
}
