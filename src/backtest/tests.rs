//! Claims about replaying history, on days made up by a seed and by hand.

mod day;
mod policies;
mod replays;
mod worlds;
