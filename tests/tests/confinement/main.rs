//! Components that misbehave. Each breach is a typed failure of its own file, other files are not affected, and the host
//! does not grow by more than its budget: by the real command, and a hundred times each beside honest calls.
//!
//! A case of the second kind is a test that runs itself once more as a child process, so that the memory that is measured
//! is that of this case alone. See `siege.rs`.
#![allow(clippy::unwrap_used)]

/// Makes a test of a case. Every call of every behaviour must end as the case says.
macro_rules! besieged {
    ($name:ident, $case:expr) => {
        #[test]
        fn $name() {
            const CASE: crate::case::Case = $case;
            crate::siege::besiege(concat!(module_path!(), "::", stringify!($name)), CASE);
        }
    };
}

mod abi;
mod answers;
mod bytes;
mod calls;
mod case;
mod command;
mod components;
mod effects;
mod exchanges;
mod handles;
mod machine;
mod outside;
mod records;
mod resident;
#[allow(dead_code, reason = "the services here are others")]
#[path = "../../fixtures/secret_service.rs"]
mod secret_service;
mod services;
mod siege;
mod turns;
