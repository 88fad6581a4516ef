//! How many calls of a kind run at once. Past that a caller is told at once when to come back.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Error;

/// The seats for one kind of call. Agents' actions need none: they are never shed.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    what: &'static str,
    max: usize,
    seats: Arc<Semaphore>,
}

impl Admission {
    /// Returns `max` seats; `what` names the calls for people, as in "ticket calls".
    pub(crate) fn new(what: &'static str, max: usize) -> Self {
        Self { what, max, seats: Arc::new(Semaphore::new(max)) }
    }

    /// Takes a seat until the permit is dropped.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.seats).try_acquire_owned().map_err(|_| {
            metrics::counter!("evenhand_calls_shed_total", "kind" => self.what).increment(1);
            Error::Busy { what: self.what, max: self.max }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_says_so_and_a_seat_given_back_can_be_taken() {
        let admission = Admission::new("ticket calls", 1);
        let seat = admission.enter().unwrap();
        let error = admission.enter().unwrap_err();
        assert_eq!(error.to_string(), "ticket calls are limited to 1 at once");
        drop(seat);
        assert!(admission.enter().is_ok());
    }
}
