//! What `/metrics` shows, in Prometheus' text format, version 0.0.4.
//!
//! Every metric stands once, in [`list`]: its name, type, unit, labels and meaning. `docs/operations.md` is written from it.
//! Values are read when somebody asks for the page. Between two requests nothing is kept for it but what a part counts
//! anyway, so a connector that is idle costs nothing, and there is no recorder that the tests of a process would share.

mod histogram;
pub mod list;
mod page;

pub use histogram::Histogram;
pub use list::{Kind, Metric};
pub use page::{CONTENT_TYPE, Page, Value};
