//! The API as clients see it.

mod executions;
mod http;
mod machines;
mod map_runs;
mod operations;
mod paging;
mod requests;
mod responses;
mod tags;
mod task_tokens;
