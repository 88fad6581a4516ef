//! How evenly tickets and agents are treated: rates, waits and loads, compared between segments.
//!
//! Everything here is arithmetic on [`TicketFacts`](crate::domain::facts::TicketFacts): no I/O, no
//! clock, no logging, and nothing that a routing decision could read. The rules:
//!
//! - A share without tickets (0 / 0) is absent, never 0 and never 1.
//! - A ticket that does not declare an attribute is in no group of it, and is counted apart.
//! - Groups with too few tickets are shown, but not compared: "not enough evidence" is an answer.
//! - Comparisons are made in integers, so that exactly four fifths is four fifths.
//!
//! [`measure()`] and [`measure_service()`] are the way in for live tickets, [`watch::Watch`] for alarms over them,
//! [`audit()`](audit::audit) for a log of decisions; the files beside them hold the definitions, each of them once for both.

pub mod accumulate;
pub mod alarms;
pub mod audit;
pub mod betting;
mod clusters;
mod counted;
mod disparity;
mod distributions;
mod grouping;
mod loads;
mod means;
mod measure;
mod proportions;
mod rates;
pub mod sequences;
mod signs;
mod waits;
pub mod watch;

pub use clusters::{Cluster, clustered_interval};
pub use counted::{Span, Waiting, measure_counts};
pub use disparity::{Disparity, Group, below_four_fifths, disparity, ratio};
pub use grouping::Grouping;
pub use loads::{gini_index, jain_index, max_mean_ratio};
pub use means::Mean;
pub use measure::{
    AttributeMeasures, Options, SegmentMeasures, ServiceMeasures, Verdict, measure, measure_service,
};
pub use proportions::{ChiSquare, PooledZ, chi_square, fisher_exact, pooled_z};
pub use rates::{Ends, Interval, Rate, Z_95};
pub use signs::SignTest;
pub use waits::{Elapsed, Wait, WaitCurve, WaitMeasures};
