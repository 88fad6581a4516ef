//! What tickets cost and how long they waited.

use std::time::Duration;

/// What some tickets cost.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) tickets: usize,
    pub(crate) took: Duration,
    /// CPU seconds by the names of threads.
    pub(crate) cpu: Vec<(String, f64)>,
}

impl Load {
    pub(crate) fn add(&mut self, other: &Self) {
        self.tickets += other.tickets;
        self.took += other.took;
        for (name, seconds) in &other.cpu {
            match self.cpu.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += seconds,
                None => self.cpu.push((name.clone(), *seconds)),
            }
        }
    }

    pub(crate) fn rate(&self) -> f64 {
        self.tickets as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn cpu_ms(&self) -> f64 {
        self.cpu.iter().map(|(_, seconds)| seconds).sum::<f64>() * 1000.0 / self.tickets as f64
    }

    pub(crate) fn print(&self, what: &str, alone: &Self) {
        let parts: Vec<_> = self
            .cpu
            .iter()
            .map(|(name, s)| format!("{name} {:.3}", s * 1000.0 / self.tickets as f64))
            .collect();
        let (rate, ms, parts) = (self.rate(), self.cpu_ms(), parts.join(", "));
        print!("  {what:<12} {rate:7.0} tickets/s, server {ms:.3} CPU ms a ticket ({parts})");
        let alone = alone.cpu_ms();
        let (rest, ratio) = (ms - alone, ms / alone);
        println!("; classifier alone {alone:.3} ms, all else {rest:.3} ms, ratio {ratio:.2}");
    }
}

/// Waits of tickets that arrived whatever the server did.
pub(crate) struct Waits {
    pub(crate) acknowledged: Vec<Duration>,
    pub(crate) offered: Vec<Duration>,
}

impl Waits {
    pub(crate) fn print(mut self) {
        for (what, waits) in
            [("acknowledged", &mut self.acknowledged), ("offered", &mut self.offered)]
        {
            waits.sort_unstable();
            let at =
                |share: f64| waits[whole(share * (waits.len() - 1) as f64)].as_secs_f64() * 1000.0;
            let (p50, p99, n) = (at(0.5), at(0.99), waits.len());
            println!("  {what:<12} p50 {p50:6.2} ms, p99 {p99:6.2} ms ({n} tickets)");
        }
    }
}

/// Returns a number without its fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
pub(crate) fn whole(count: f64) -> usize {
    count.max(0.0) as usize
}
