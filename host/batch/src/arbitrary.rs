//! Batches for property tests: every field in every state that the types allow.
