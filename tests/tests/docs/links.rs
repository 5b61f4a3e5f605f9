//! What a page refers to: links to files and headings, and paths in code spans.

use std::path::Path;

use stagehost_tests::file;

/// Folders at the top of the repository; a code span that begins with one is a path.
const TOP: [&str; 7] = ["docs", "host", "samples", "stages", "statemachine", "tests", "wit"];

/// Lines that name what is not there.
pub fn missing(page: &Path, text: &str) -> Vec<String> {
    let mut missing = Vec::new();
    let mut in_block = false;
    for (number, line) in text.lines().enumerate() {
        in_block ^= line.starts_with("```");
        if in_block {
            continue;
        }
        let wrong = targets(line).filter(|target| !link_exists(page, target));
        let lost = spans(line).filter(|span| !path_exists(span));
        missing.extend(wrong.chain(lost).map(|what| format!("{}:{}: there is no {what}", page.display(), number + 1)));
    }
    missing
}

/// The targets of links within the repository.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let all = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    all.filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

fn link_exists(page: &Path, target: &str) -> bool {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let folder = page.parent().unwrap_or(Path::new(""));
    let path = if path.is_empty() { page.to_owned() } else { folder.join(path) };
    let path = file(&path.to_string_lossy());
    if heading.is_empty() {
        return path.exists();
    }
    std::fs::read_to_string(path).is_ok_and(|text| text.lines().filter_map(anchor).any(|anchor| anchor == heading))
}

/// The anchor that GitHub gives to a heading.
fn anchor(line: &str) -> Option<String> {
    let (marks, title) = line.split_once(' ')?;
    let letter = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    (!marks.is_empty() && marks.chars().all(|c| c == '#')).then(|| title.chars().filter_map(letter).collect())
}

/// The code spans that are paths from the top of the repository.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    let all = line.split('`').skip(1).step_by(2);
    all.filter(|span| {
        let (top, rest) = span.split_once('/').unwrap_or_default();
        TOP.contains(&top) && !rest.contains([' ', '*', '<', '…', '{', '='])
    })
}

fn path_exists(span: &str) -> bool {
    file(span).exists()
}

#[test]
fn what_is_missing_is_named_with_its_line() {
    let text = "See [the tests](tests/run), `tests/run` and `tests/bench/README.md`.\n[Gone](gone.md) `host/gone.rs`\n";
    let missing = missing(Path::new("README.md"), text);
    assert_eq!(missing, ["README.md:2: there is no gone.md", "README.md:2: there is no host/gone.rs"]);
}

#[test]
fn an_anchor_is_the_heading_in_lower_case_with_hyphens() {
    assert_eq!(anchor("## When an alarm rings").as_deref(), Some("when-an-alarm-rings"));
    assert_eq!(anchor("## The format: `stagehost-record/1`").as_deref(), Some("the-format-stagehost-record1"));
    assert_eq!(anchor("no heading"), None);
}
