//! The trace that a batch belongs to: a `traceparent` of W3C's Trace Context.

/// A `traceparent` (<https://www.w3.org/TR/trace-context/#traceparent-header>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace's id: 32 hexadecimal digits.
    pub trace: String,
    /// The id of the span that the batch was sent in: 16 hexadecimal digits.
    pub span: String,
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads a `traceparent`; `None` if it is invalid. Later versions may have more fields at the end.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.trim().split('-');
        let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let known = is_hex(version, 2) && version != "ff" && (version != "00" || fields.next().is_none());
        let ids = is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2);
        if !(known && ids) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self { trace: trace.to_owned(), span: span.to_owned(), sampled: flags & 1 == 1 })
    }

    /// Reads the value of X-Ray's tracing header, `Root=1-…;Parent=…;Sampled=1`, whose fields may have any order; `None` if it is
    /// invalid or has no parent.
    pub fn from_xray_header(text: &str) -> Option<Self> {
        let XrayHeader { root, parent, sampled } = XrayHeader::parse(text)?;
        let trace = root.strip_prefix("1-")?.replace('-', "");
        let span = parent.filter(|_| is_id(&trace, 32))?;
        Some(Self { trace, span, sampled })
    }

    /// Returns it as a `traceparent` of version 00.
    pub fn header(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }

    /// Returns the trace's id in X-Ray's notation: `1-`, 8 digits, `-`, 24 digits.
    pub fn xray_id(&self) -> String {
        let (epoch, rest) = self.trace.split_at(8);
        format!("1-{epoch}-{rest}")
    }

    /// Returns the value of the header `X-Amzn-Trace-Id` for a request within this trace
    /// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html>, "Tracing header").
    pub fn xray_header(&self) -> String {
        format!("Root={};Parent={};Sampled={}", self.xray_id(), self.span, u8::from(self.sampled))
    }
}

/// The value of X-Ray's tracing header
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html>, "Tracing header").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XrayHeader {
    /// The trace's id in X-Ray's notation: `1-`, 8 hexadecimal digits, `-`, 24 hexadecimal digits.
    pub root: String,
    /// The id of the parent, if it has a valid one: 16 hexadecimal digits.
    pub parent: Option<String>,
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl XrayHeader {
    /// Reads `Root=1-…;Parent=…;Sampled=1`, whose fields may have any order; `None` if `Root` is missing or invalid.
    pub fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')).map(str::trim)
        };
        let root = field("Root")?;
        let (epoch, rest) = root.strip_prefix("1-")?.split_once('-')?;
        (is_hex(epoch, 8) && is_hex(rest, 24)).then(|| Self {
            root: root.to_owned(),
            parent: field("Parent").filter(|parent| is_id(parent, 16)).map(str::to_owned),
            sampled: field("Sampled") == Some("1"),
        })
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns whether `text` is an id: not all digits may be zero.
fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|b| b != b'0')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_traceparent_has_the_same_trace_in_xrays_notation() {
        let parent = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!(parent.xray_header(), "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1");
        let unsampled = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02").unwrap();
        assert!(unsampled.xray_header().ends_with("Sampled=0"));
    }

    #[test]
    fn a_tracing_header_of_xray_is_the_same_trace_as_a_traceparent() {
        let header = "Sampled=1;Root=1-4bf92f35-77b34da6a3ce929d0e0e4736; Parent=00f067aa0ba902b7;Lineage=a:0";
        let parent = TraceParent::from_xray_header(header).unwrap();
        assert_eq!(parent.header(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(TraceParent::parse(&parent.header()), Some(parent.clone()));
        assert_eq!(TraceParent::from_xray_header(&parent.xray_header()), Some(parent));
        let unsampled = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=0";
        assert!(TraceParent::from_xray_header(unsampled).unwrap().header().ends_with("-00"));
        for text in [
            "",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=1",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=0000000000000000",
            "Root=1-00000000-000000000000000000000000;Parent=00f067aa0ba902b7",
            "Root=2-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736-x;Parent=00f067aa0ba902b7",
        ] {
            assert_eq!(TraceParent::from_xray_header(text), None, "{text}");
        }
    }

    #[test]
    fn an_invalid_traceparent_is_not_read() {
        for text in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }
}
