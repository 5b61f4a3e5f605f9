//! The report that CI systems read: JUnit's XML, as `testsuite` with a `testcase` for every case.

use std::fmt::Write as _;

use super::case_result::CaseResult;

/// Returns the report.
pub fn junit(suite: &str, cases: &[CaseResult]) -> String {
    let failed = cases.iter().filter(|case| !case.passed()).count();
    let seconds: f64 = cases.iter().map(|case| case.took.as_secs_f64()).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (suite, total) = (escaped(suite), cases.len());
    let _ = writeln!(xml, "<testsuite name=\"{suite}\" tests=\"{total}\" failures=\"{failed}\" time=\"{seconds:.3}\">");
    for case in cases {
        let (name, time) = (escaped(&case.name), case.took.as_secs_f64());
        let _ = write!(xml, "  <testcase classname=\"{suite}\" name=\"{name}\" time=\"{time:.3}\">");
        if !case.passed() {
            let first = case.differences.first().map(String::as_str).unwrap_or_default();
            let _ = write!(xml, "<failure message=\"{}\">", escaped(first));
            let _ = write!(xml, "{}</failure>", escaped(&case.differences.join("\n")));
        }
        if !case.printed.is_empty() {
            let _ = write!(xml, "<system-out>{}</system-out>", escaped(&case.printed.join("\n")));
        }
        xml.push_str("</testcase>\n");
    }
    xml.push_str("</testsuite>\n");
    xml
}

/// Returns a text for XML 1.0, which has no place for most control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_report_has_every_case_and_is_well_formed_whatever_a_stage_prints() {
        let case = |name: &str, differences: &[&str], printed: &str| CaseResult {
            name: name.into(),
            took: Duration::from_millis(3),
            differences: differences.iter().map(|text| (*text).to_owned()).collect(),
            printed: vec![printed.to_owned()],
            updated: false,
        };
        let xml = junit("line-notes", &[case("a", &[], "\u{1b}[1m]]>"), case("b", &["x: expected \"<1>\"", "y"], "&")]);
        assert!(xml.contains("tests=\"2\" failures=\"1\" time=\"0.006\""), "{xml}");
        assert!(xml.contains("<failure message=\"x: expected &quot;&lt;1&gt;&quot;\">"), "{xml}");
        assert!(xml.contains("<system-out>\u{fffd}[1m]]&gt;</system-out>"), "{xml}");
        assert_eq!(xml.matches("</testcase>").count(), 2);
    }
}
