//! The drawing as SVG. Colours and fonts are in the style sheet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use maud::{Markup, html};

use super::layout::{Drawn, DrawnWay, drawn};
use super::read::{Plan, Way};

/// The most states that are drawn. A larger machine is listed only.
const MOST: usize = 300;
/// The most ways that are drawn. Each can pass every layer, and what passes is sorted.
const MOST_WAYS: usize = 400;
/// How far a label is from the middle of its line.
const ASIDE: f64 = 6.0;
/// The room that a letter of a label takes.
const LETTER: f64 = 6.5;

/// The result of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The class in the style sheet: `ok`, `run`, `bad`, `caught`, `off`.
    pub class: &'static str,
    /// The same in words.
    pub word: &'static str,
    /// How many tries it took.
    pub tries: usize,
    /// The page with its input and output.
    pub url: String,
}

/// Draws a plan. `marks` are the states that were entered, `taken` the ways that were gone. `None` if it is too large.
pub fn svg(plan: &Plan, marks: &BTreeMap<String, Mark>, taken: &BTreeSet<(String, String)>) -> Option<Markup> {
    if plan.size() > MOST || plan.ways() > MOST_WAYS {
        return None;
    }
    let drawing = drawn(plan);
    let (width, height) = (drawing.width.ceil(), drawing.height.ceil());
    Some(html! {
        svg.plan viewBox={ "0 -14 " (width) " " (height + 14.0) } width=(width) height=(height + 14.0) role="group"
            aria-label="State machine" {
            defs {
                @for class in ["", "gone", "catch", "caught"] {
                    marker id={ "arrow" (class) } class={ "arrow " (class) } viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"
                        markerHeight="7" orient="auto-start-reverse" { path d="M0 0 L8 4 L0 8 z" {} }
                }
            }
            @for state in drawing.states.iter().filter(|state| state.around) { (node(state, marks.get(&state.name))) }
            @for way in drawing.ways.iter().filter(|way| !taken.contains(&(way.from.clone(), way.to.clone()))) {
                (line(way, false))
            }
            @for way in drawing.ways.iter().filter(|way| taken.contains(&(way.from.clone(), way.to.clone()))) {
                (line(way, true))
            }
            @for (x, y) in &drawing.starts { circle.start cx=(round(*x)) cy=(round(y - 9.0)) r="4" {} }
            @for state in drawing.states.iter().filter(|state| !state.around) { (node(state, marks.get(&state.name))) }
        }
    })
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn node(state: &Drawn, mark: Option<&Mark>) -> Markup {
    let shape = html! {
        rect x=(round(state.x)) y=(round(state.y)) width=(round(state.width)) height=(round(state.height))
            rx=(if state.kind == "Choice" { 22 } else { 9 }) {}
        @if state.around {
            text.title x=(round(state.x + 14.0)) y=(round(state.y + 20.0)) { (state.name) }
        } @else {
            text x=(round(state.x + state.width / 2.0)) y=(round(state.y + 20.0)) text-anchor="middle" { (state.name) }
            text.kind x=(round(state.x + state.width / 2.0)) y=(round(state.y + 35.0)) text-anchor="middle" { (kind(state, mark)) }
        }
    };
    let class = format!("node {} {}", mark.map_or("", |mark| mark.class), if state.around { "around" } else { "" });
    let title = if state.comment.is_empty() { &state.name } else { &state.comment };
    match mark {
        Some(mark) => html! {
            a class=(class) href=(mark.url) { title { (title) ": " (mark.word) } (shape) }
        },
        None => html! { g class=(class) { title { (title) } (shape) } },
    }
}

/// Returns the second line of a state: its type, its result, retries and catches.
fn kind(state: &Drawn, mark: Option<&Mark>) -> String {
    let mut words = vec![state.kind.to_lowercase()];
    match mark {
        Some(mark) if mark.tries > 1 => words.push(format!("{} tries", mark.tries)),
        _ if state.retries > 0 => words.push("retries".to_owned()),
        _ => {}
    }
    match mark {
        Some(mark) if mark.class != "ok" => words.push(mark.word.to_owned()),
        _ if state.catches => words.push("catches".to_owned()),
        _ => {}
    }
    words.join(" · ")
}

fn line(way: &DrawnWay, gone: bool) -> Markup {
    let catch = way.way == Way::Catch;
    let class = match (catch, gone) {
        (false, false) => "",
        (false, true) => "gone",
        (true, false) => "catch",
        (true, true) => "caught",
    };
    let label = match way.way {
        Way::Choice | Way::Default => way.label.as_str(),
        Way::Next | Way::Catch => "",
    };
    html! {
        path class={ "way " (class) } d=(path(&way.points, way.back)) marker-end={ "url(#arrow" (class) ")" } {
            @if !way.label.is_empty() { title { (way.label) } }
        }
        @if let (Some(from), Some(to), false) = (way.points.first(), way.points.get(1), label.is_empty()) {
            (beside(*from, *to, &short(label)))
        }
    }
}

/// Shows a label beside the first part of a way: on the left if the way goes to the left and there is room, so that the labels
/// of ways to both sides do not cover each other.
fn beside(from: (f64, f64), to: (f64, f64), label: &str) -> Markup {
    let middle = f64::midpoint(from.0, to.0);
    let room = middle - ASIDE > label.chars().count() as f64 * LETTER;
    let (x, anchor) = if to.0 < from.0 && room { (middle - ASIDE, "end") } else { (middle + ASIDE, "start") };
    html! { text.label x=(round(x)) y=(round(from.1 * 0.45 + to.1 * 0.55)) text-anchor=(anchor) { (label) } }
}

fn short(label: &str) -> String {
    match label.char_indices().nth(34) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label.to_owned(),
    }
}

/// Returns curves through the points, which leave and arrive vertically; of a way back, horizontally.
fn path(points: &[(f64, f64)], back: bool) -> String {
    let Some((x, y)) = points.first() else { return String::new() };
    let mut path = format!("M{} {}", round(*x), round(*y));
    for pair in points.windows(2) {
        let [(x, y), (to_x, to_y)] = pair else { continue };
        // Writing to a string does not fail.
        let _ = if back {
            write!(path, " Q{} {} {} {}", round(x.max(*to_x)), round(*y), round(*to_x), round(*to_y))
        } else {
            let middle = round(f64::midpoint(*y, *to_y));
            write!(path, " C{} {middle} {} {middle} {} {}", round(*x), round(*to_x), round(*to_x), round(*to_y))
        };
    }
    path
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Map, Value, json};

    use super::*;

    /// Returns a machine of states that all lead to the first `ways` of them.
    fn machine(states: usize, ways: usize) -> Plan {
        let choices: Vec<Value> = (0..ways).map(|to| json!({"Next": format!("S{to}")})).collect();
        let state = |at: usize| (format!("S{at}"), json!({"Type": "Choice", "Choices": choices}));
        let states: Map<String, Value> = (0..states).map(state).collect();
        Plan::read(&json!({"StartAt": "S0", "States": states}).to_string()).unwrap()
    }

    #[test]
    fn a_machine_with_very_many_states_or_ways_is_not_drawn() {
        let is_drawn = |plan: &Plan| svg(plan, &BTreeMap::new(), &BTreeSet::new()).is_some();
        assert!(is_drawn(&machine(20, 20)));
        assert!(!is_drawn(&machine(21, 20)), "420 ways");
        assert!(!is_drawn(&machine(301, 1)), "301 states");
    }
}
