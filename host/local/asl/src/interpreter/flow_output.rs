//! What a flow ends with.

use serde_json::Value;

use crate::history::text::JsonText;

/// The output of a flow's last state.
#[derive(Debug)]
pub(crate) struct FlowOutput {
    pub value: Value,
    pub text: JsonText,
}
