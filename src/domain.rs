//! The words of the program as types: no I/O, no clock, no wire format.
//!
//! `event` is the one part that is stored: the journal holds events as JSON, so a change there
//! must read what older versions wrote (`store::records` holds the golden tests).

pub mod agent;
pub mod alarm;
pub mod calendar;
pub mod condition;
pub mod decision;
pub mod event;
pub mod facts;
pub mod id;
pub mod limits;
pub(crate) mod planted;
pub mod policy;
pub mod reading;
pub mod ticket;
pub mod time;
