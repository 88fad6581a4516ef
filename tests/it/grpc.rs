//! The API over real connections: stories, errors, retries, streams, and other people's protocols.

mod alarms;
mod errors;
mod policies;
mod protocols;
mod retries;
mod story;
mod streams;
mod supervisors;
