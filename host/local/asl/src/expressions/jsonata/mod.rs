//! JSONata, the query language beside JSONPath.
//!
//! The states know only [`engine`]: a trait for a compiled query, its inputs and its failures. The library behind it is
//! used in `core`, `guards`, `references`, `functions` and `values`, and nowhere else.
//!
//! Sources of facts: the developer guide ("Transforming data with JSONata in Step Functions"), jsonata.org, and recorded
//! causes of the service.

mod causes;
mod core;
pub(crate) mod engine;
mod failures;
mod functions;
mod guards;
mod java_random;
pub(crate) mod query;
mod references;
pub(crate) mod template;
mod values;
