//! Numbers that may be shown, and those that may not.

use serde::Serialize;

use crate::fairness::{Interval, Mean, Rate, audit::hidden};

/// A number with what it stands on. All but `suppressed` is absent where too few tickets are behind it,
/// or where others could be worked out from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figure {
    /// Whether it is left out.
    pub suppressed: bool,
    /// The share, mean or time; absent without tickets.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval for one look: Wilson's of a share, Student's of a mean.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Tickets for which it is so, the sum of a mean, or assigned tickets of a wait.
    pub numerator: Option<f64>,
    /// Tickets of which it is known.
    pub denominator: Option<u64>,
}

impl Figure {
    /// A figure that is left out.
    pub(super) const SUPPRESSED: Self = Self {
        suppressed: true,
        value: None,
        low: None,
        high: None,
        numerator: None,
        denominator: None,
    };

    pub(super) fn new(value: Option<f64>, interval: Option<Interval>) -> Self {
        Self {
            value,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            ..Self::default()
        }
    }

    /// Returns it with what it stands on.
    pub(super) fn of(self, numerator: f64, denominator: u64) -> Self {
        Self { numerator: Some(numerator), denominator: Some(denominator), ..self }
    }

    /// Returns it, or nothing but that it is left out.
    pub(super) fn unless(self, suppressed: bool) -> Self {
        if suppressed { Self::SUPPRESSED } else { self }
    }
}

impl From<Rate> for Figure {
    fn from(rate: Rate) -> Self {
        Self::new(rate.value(), rate.interval()).of(rate.hits() as f64, rate.count())
    }
}

impl From<Mean> for Figure {
    fn from(mean: Mean) -> Self {
        Self::new(mean.value(), mean.interval()).of(mean.sum(), mean.count())
    }
}

/// Returns the figures of groups side by side, without those that are too small and those that would
/// give them away: the sum over all groups is taken as known.
pub(super) fn shown<T: Copy + Into<Figure>>(
    groups: &[T],
    count: impl Fn(T) -> u64,
    tickets_min: u64,
) -> Vec<Figure> {
    let counts: Vec<u64> = groups.iter().map(|group| count(*group)).collect();
    let hidden = hidden(&counts, tickets_min);
    let figure = |(place, group): (usize, &T)| (*group).into().unless(hidden.contains(&place));
    groups.iter().enumerate().map(figure).collect()
}
