//! The trace that a call belongs to: the backend's, by the batch's `traceparent`, or else Lambda's own.

use stagehost_batch::{TraceParent, XrayHeader};

/// The trace and the parent of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceContext {
    /// The trace id in X-Ray's notation: `1-`, 8 hexadecimal digits, `-`, 24 hexadecimal digits.
    pub(crate) id: String,
    /// The id of the parent span.
    pub(crate) parent: Option<String>,
    /// Whether the trace is recorded.
    pub(crate) sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent` by W3C's Trace Context; `None` if it is invalid. Later versions may have more fields at
    /// the end.
    pub(crate) fn from_traceparent(text: &str) -> Option<Self> {
        let parent = TraceParent::parse(text)?;
        Some(Self { id: parent.xray_id(), parent: Some(parent.span), sampled: parent.sampled })
    }

    /// Reads Lambda's trace header, `Root=1-…;Parent=…;Sampled=1`; `None` if it is invalid.
    pub(crate) fn from_lambda(text: &str) -> Option<Self> {
        let XrayHeader { root: id, parent, sampled } = XrayHeader::parse(text)?;
        Some(Self { id, parent, sampled })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_traceparent_names_the_same_trace_in_xrays_notation() {
        let trace = TraceContext::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!(trace.id, "1-4bf92f35-77b34da6a3ce929d0e0e4736");
        assert_eq!(trace.parent.as_deref(), Some("00f067aa0ba902b7"));
        assert!(trace.sampled);
    }

    #[test]
    fn the_sampled_flag_is_one_bit_among_others() {
        let sampled = |flags: &str| {
            let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
            TraceContext::from_traceparent(&text).unwrap().sampled
        };
        assert!(sampled("01") && sampled("03") && sampled("ff"));
        assert!(!sampled("00") && !sampled("02"));
    }

    #[test]
    fn an_invalid_traceparent_is_not_read() {
        for text in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceContext::from_traceparent(text), None, "{text}");
        }
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
        assert!(TraceContext::from_traceparent(later).is_some());
    }

    #[test]
    fn the_fields_of_lambdas_trace_header_may_have_any_order() {
        let trace = TraceContext::from_lambda(
            "Parent=53995c3f42cd8ad8;Sampled=1;Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a:0",
        );
        assert_eq!(
            trace.unwrap(),
            TraceContext {
                id: "1-5759e988-bd862e3fe1be46a994272793".into(),
                parent: Some("53995c3f42cd8ad8".into()),
                sampled: true,
            }
        );
        assert!(!TraceContext::from_lambda("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0").unwrap().sampled);
        assert_eq!(TraceContext::from_lambda("Root=nonsense;Sampled=1"), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_the_host_panic(text in ".{0,80}") {
            let _ = TraceContext::from_traceparent(&text);
            let _ = TraceContext::from_lambda(&text);
            let _ = TraceContext::from_lambda(&format!("Root={text}"));
        }
    }
}
