//! Files that import each other, directly or around corners.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::graph::{Graph, within};

/// Files of which each reaches every other by imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// All of them.
    pub files: BTreeSet<PathBuf>,
    /// The shortest ways round, the shortest first; together they use every import between the files.
    pub rounds: Vec<Vec<PathBuf>>,
}

/// Returns the circles of a graph. No file is in two of them.
pub fn circles(graph: &Graph) -> Vec<Circle> {
    let reached: BTreeMap<&Path, BTreeSet<&Path>> =
        graph.keys().map(|file| (file.as_path(), reachable(graph, file))).collect();
    let reaches = |from: &Path, to: &Path| reached.get(from).is_some_and(|files| files.contains(to));
    let mut found: Vec<Circle> = Vec::new();
    for file in graph.keys() {
        let files: BTreeSet<PathBuf> =
            graph.keys().filter(|other| reaches(file, other) && reaches(other, file)).cloned().collect();
        if !files.is_empty() && found.iter().all(|circle| circle.files != files) {
            found.push(Circle { rounds: rounds(graph, &files), files });
        }
    }
    found
}

fn reachable<'a>(graph: &'a Graph, from: &Path) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Path> = graph.get(from).into_iter().flat_map(BTreeMap::keys).map(PathBuf::as_path).collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(graph.get(file).into_iter().flat_map(BTreeMap::keys).map(PathBuf::as_path));
        }
    }
    reached
}

/// The shortest way round through each import between the files.
fn rounds(graph: &Graph, files: &BTreeSet<PathBuf>) -> Vec<Vec<PathBuf>> {
    let mut rounds: Vec<Vec<PathBuf>> = Vec::new();
    for from in files {
        for to in graph[from].keys().filter(|to| files.contains(*to)) {
            let mut round = way(graph, files, to, from);
            // Each begins with the same file wherever it was entered.
            let first = round.iter().enumerate().min_by_key(|(_, file)| *file).map_or(0, |(at, _)| at);
            round.rotate_left(first);
            if !rounds.contains(&round) {
                rounds.push(round);
            }
        }
    }
    rounds.sort_by_key(Vec::len);
    rounds
}

/// The shortest way from one file to another.
fn way(graph: &Graph, files: &BTreeSet<PathBuf>, from: &Path, to: &Path) -> Vec<PathBuf> {
    let mut ways = VecDeque::from([vec![from.to_owned()]]);
    let mut seen = BTreeSet::from([from.to_owned()]);
    while let Some(way) = ways.pop_front() {
        let Some(last) = way.last() else { continue };
        if last == to {
            return way;
        }
        for next in graph[last].keys().filter(|next| files.contains(*next)) {
            if seen.insert(next.clone()) {
                ways.push_back([way.as_slice(), std::slice::from_ref(next)].concat());
            }
        }
    }
    Vec::new()
}

impl Circle {
    /// Spells it out: its files, and below them each way round with the names and lines of its imports. Paths are shown
    /// from `folder` on.
    pub fn describe(&self, graph: &Graph, folder: &Path) -> String {
        let files: Vec<_> = self.files.iter().map(|file| within(folder, file).to_string()).collect();
        let mut text = format!("{} files in a circle: {}", files.len(), files.join(", "));
        for round in &self.rounds {
            text.push_str("\n    ");
            for (at, from) in round.iter().enumerate() {
                let to = &round[(at + 1) % round.len()];
                let imports = &graph[from][to];
                let names: Vec<_> = imports.keys().map(String::as_str).collect();
                let line = imports.values().min().copied().unwrap_or_default();
                let comma = if at == 0 { "" } else { "; " };
                let (from, to, names) = (within(folder, from), within(folder, to), names.join(", "));
                let _ = write!(text, "{comma}{from}:{line} -> {to} ({names})");
            }
        }
        text
    }
}
