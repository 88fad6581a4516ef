//! What became of tickets and agents, for people who must answer for it: verdicts, figures and a page.
//!
//! The journal of a workspace is read entry by entry; segment values are joined to its tickets here, to
//! measure by and for nothing else. docs/fairness.md says what each figure means. Groups that are too
//! small are put together before anything is measured, so that no figure of one of them ever exists.
//!
//! - `case`, `reader`: what the journal says of each ticket and agent
//! - `measures`: what is measured; `figures`: numbers that may be shown
//! - `evidence`: alarms; `on_record`: those that were raised while the service ran; `waits`, `periods`: how long, and when
//! - `report`: all of it as data
//! - `rows`, `text`, `page`: for programs and for people

mod case;
mod evidence;
mod figures;
mod measures;
mod on_record;
mod page;
mod periods;
mod reader;
mod report;
mod rows;
mod text;
mod waits;

#[cfg(test)]
mod tests;

pub use evidence::{Comparison, Evidence};
pub use figures::Figure;
pub use on_record::{AcknowledgementOnRecord, AlarmOnRecord};
pub use page::page;
pub use periods::Periods;
pub use reader::{Reader, Record};
pub use report::{
    AlarmRaised, AttributeReport, GroupReport, NotKnown, Options, Overall, Report, Segments, report,
};
pub use rows::{Row, rows};
pub use text::text;
