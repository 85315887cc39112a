//! The read models as a whole: against a model, and against everything that can go wrong with them.

mod failures;
mod model;
mod reports;
