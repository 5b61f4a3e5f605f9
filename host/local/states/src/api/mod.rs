//! The API as clients see it.

mod activities;
mod aliases;
mod executions;
mod http;
mod machines;
mod map_runs;
mod mock_schema;
mod operations;
mod paging;
mod redrives;
mod requests;
mod responses;
mod sync_executions;
mod tags;
mod task_tokens;
mod test_context;
mod test_state;
mod versions;
