//! Claims about the report, on a journal made by hand and on tickets made up.

mod figures;
mod pages;
mod suppression;
mod world;
