//! JSON Pointers (RFC 6901): places in configurations, pins and state machines.

use std::fmt;

/// Returns the pointer with one more step: the name of a field or the number of an item.
pub fn below(pointer: &str, step: impl fmt::Display) -> String {
    format!("{pointer}/{}", step.to_string().replace('~', "~0").replace('/', "~1"))
}

/// Returns the steps of a pointer, without escapes.
pub fn steps(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_with_a_slash_or_a_tilde_is_escaped_and_read_back() {
        let pointer = below(&below("/x", "c/d~"), 2);
        assert_eq!(pointer, "/x/c~1d~0/2");
        assert_eq!(steps(&pointer).collect::<Vec<_>>(), ["x", "c/d~", "2"]);
        assert_eq!(steps("").count(), 0);
    }
}
