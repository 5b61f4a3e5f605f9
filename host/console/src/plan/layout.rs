//! Where everything of a drawing is.

use super::layers::{Layers, Place, layered, linked};
use super::read::{Plan, PlannedState, Way};

const HEIGHT: f64 = 44.0;
const CHARACTER: f64 = 7.6;
const BESIDE: f64 = 24.0;
const BELOW: f64 = 46.0;
const PADDING: f64 = 18.0;
const TITLE: f64 = 30.0;
/// The room that a passing line needs.
const PASSING: f64 = 18.0;

/// A state's place.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) comment: String,
    pub(super) retries: u64,
    pub(super) catches: bool,
    /// It has states inside.
    pub(super) around: bool,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A way's line.
#[derive(Clone, Debug)]
pub(super) struct DrawnWay {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) way: Way,
    pub(super) label: String,
    /// The points that it goes through.
    pub(super) points: Vec<(f64, f64)>,
    pub(super) back: bool,
}

/// A plan with all places, its corner at 0, 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawing {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) states: Vec<Drawn>,
    pub(super) ways: Vec<DrawnWay>,
    /// Where the first states of this plan and of those inside begin.
    pub(super) starts: Vec<(f64, f64)>,
}

/// Returns the drawing of a plan.
pub(super) fn drawn(plan: &Plan) -> Drawing {
    let inner: Vec<Vec<Drawing>> = plan.states.iter().map(|state| state.inner.iter().map(drawn).collect()).collect();
    let sizes: Vec<(f64, f64)> = plan.states.iter().zip(&inner).map(|(state, inner)| size(state, inner)).collect();
    let layers = layered(plan);
    let centres = centres(&layers, &sizes);
    let mut drawing = Drawing::default();
    let mut tops = Vec::new();
    let mut y = PADDING;
    for row in &layers.rows {
        let height = row.iter().map(|place| tall(*place, &sizes)).fold(0.0, f64::max);
        tops.push((y, height));
        y += height + BELOW;
    }
    drawing.height = (y - BELOW + PADDING).max(2.0 * PADDING);
    let right =
        layers.rows.iter().zip(&centres).flat_map(|(row, centres)| {
            row.iter().zip(centres).map(|(place, centre)| centre + wide(*place, &sizes) / 2.0)
        });
    let loops = layers.routes.iter().filter(|route| route.back).count() as f64;
    drawing.width = right.fold(0.0, f64::max) + PADDING + loops * PASSING;
    let mut boxes = vec![(0.0, 0.0, 0.0, 0.0); plan.states.len()];
    for ((row, centres), (top, tallest)) in layers.rows.iter().zip(&centres).zip(&tops) {
        for (place, centre) in row.iter().zip(centres) {
            if let Place::State(at) = place {
                let (width, height) = sizes[*at];
                boxes[*at] = (centre - width / 2.0, top + (tallest - height) / 2.0, width, height);
            }
        }
    }
    for (at, state) in plan.states.iter().enumerate() {
        let (x, y, width, height) = boxes[at];
        drawing.states.push(Drawn {
            name: state.name.clone(),
            kind: state.kind.clone(),
            comment: state.comment.clone(),
            retries: state.retries,
            catches: state.steps.iter().any(|step| step.way == Way::Catch),
            around: !inner[at].is_empty(),
            x,
            y,
            width,
            height,
        });
        if state.name == plan.start {
            drawing.starts.push((x + width / 2.0, y));
        }
    }
    ways(&mut drawing, plan, &layers, &boxes, &centres, &tops);
    // What is inside comes after, so that it is drawn above its frame.
    for (at, parts) in inner.into_iter().enumerate() {
        let (x, y, width, _) = boxes[at];
        let taken: f64 =
            parts.iter().map(|part| part.width).sum::<f64>() + BESIDE * (parts.len().saturating_sub(1)) as f64;
        let mut left = x + (width - taken) / 2.0;
        for part in parts {
            let step = part.width + BESIDE;
            place(&mut drawing, part, left, y + TITLE);
            left += step;
        }
    }
    drawing
}

fn place(into: &mut Drawing, part: Drawing, x: f64, y: f64) {
    into.states.extend(part.states.into_iter().map(|state| Drawn { x: state.x + x, y: state.y + y, ..state }));
    into.ways.extend(part.ways.into_iter().map(|mut way| {
        way.points.iter_mut().for_each(|point| *point = (point.0 + x, point.1 + y));
        way
    }));
    into.starts.extend(part.starts.into_iter().map(|(left, top)| (left + x, top + y)));
}

fn size(state: &PlannedState, inner: &[Drawing]) -> (f64, f64) {
    let letters = state.name.chars().count().clamp(8, 60) as f64;
    let own = letters * CHARACTER + 44.0;
    if inner.is_empty() {
        return (own, HEIGHT);
    }
    let width: f64 = inner.iter().map(|part| part.width).sum::<f64>() + BESIDE * (inner.len() - 1) as f64 + PADDING;
    let height = inner.iter().map(|part| part.height).fold(0.0, f64::max);
    (own.max(width), height + TITLE + PADDING / 2.0)
}

fn wide(place: Place, sizes: &[(f64, f64)]) -> f64 {
    match place {
        Place::State(at) => sizes[at].0,
        Place::Passing(_) => PASSING,
    }
}

fn tall(place: Place, sizes: &[(f64, f64)]) -> f64 {
    match place {
        Place::State(at) => sizes[at].1,
        Place::Passing(_) => 0.0,
    }
}

/// Returns the horizontal middle of every place: near its neighbours, in the order of the layer, without overlaps.
fn centres(layers: &Layers, sizes: &[(f64, f64)]) -> Vec<Vec<f64>> {
    let gap = |one: Place, two: Place| (wide(one, sizes) + wide(two, sizes)) / 2.0 + BESIDE;
    let mut centres: Vec<Vec<f64>> = layers
        .rows
        .iter()
        .map(|row| {
            let mut at = 0.0;
            let mut middle = Vec::new();
            for (index, place) in row.iter().enumerate() {
                at += if index == 0 { 0.0 } else { gap(row[index - 1], *place) };
                middle.push(at);
            }
            middle.iter().map(|x| x - at / 2.0).collect()
        })
        .collect();
    for round in 0..12 {
        let down = round % 2 == 0;
        let order: Vec<usize> =
            if down { (1..centres.len()).collect() } else { (0..centres.len().saturating_sub(1)).rev().collect() };
        for layer in order {
            let beside = if down { layer - 1 } else { layer + 1 };
            let row = &layers.rows[layer];
            let wanted: Vec<f64> = row
                .iter()
                .zip(&centres[layer])
                .map(|(place, own)| {
                    let near: Vec<f64> = layers.rows[beside]
                        .iter()
                        .zip(&centres[beside])
                        .filter(|(other, _)| linked(*place, **other, &layers.routes, down))
                        .map(|(_, x)| *x)
                        .collect();
                    if near.is_empty() { *own } else { near.iter().sum::<f64>() / near.len() as f64 }
                })
                .collect();
            centres[layer] = apart(&wanted, |at| gap(row[at], row[at + 1]));
        }
    }
    let left = layers
        .rows
        .iter()
        .zip(&centres)
        .flat_map(|(row, centres)| row.iter().zip(centres).map(|(place, x)| x - wide(*place, sizes) / 2.0))
        .fold(f64::INFINITY, f64::min);
    for row in &mut centres {
        row.iter_mut().for_each(|x| *x += PADDING - left);
    }
    centres
}

/// Returns positions near the wanted ones that are `gap` apart: the mean of pushing to the right and to the left.
fn apart(wanted: &[f64], gap: impl Fn(usize) -> f64) -> Vec<f64> {
    let (mut right, mut left) = (wanted.to_vec(), wanted.to_vec());
    for at in 1..wanted.len() {
        right[at] = right[at].max(right[at - 1] + gap(at - 1));
    }
    for at in (1..wanted.len()).rev() {
        left[at - 1] = left[at - 1].min(left[at] - gap(at - 1));
    }
    right.iter().zip(&left).map(|(one, other)| f64::midpoint(*one, *other)).collect()
}

type Rectangle = (f64, f64, f64, f64);

fn ways(
    drawing: &mut Drawing,
    plan: &Plan,
    layers: &Layers,
    boxes: &[Rectangle],
    centres: &[Vec<f64>],
    tops: &[(f64, f64)],
) {
    let mut loops = 0.0;
    for route in &layers.routes {
        let (x, y, width, height) = boxes[route.from];
        let (to_x, to_y, to_width, to_height) = boxes[route.to];
        let step = &plan.states[route.from].steps[route.step];
        let points = if route.back {
            loops += 1.0;
            let aside = drawing.width - PADDING / 2.0 - PASSING * (loops - 1.0);
            vec![
                (x + width, y + height / 2.0),
                (aside, f64::midpoint(y, to_y)),
                (to_x + to_width, to_y + to_height / 2.0),
            ]
        } else {
            let mut points = vec![(x + width / 2.0, y + height)];
            for &(layer, position) in &route.places {
                let (top, tallest) = tops[layer];
                points.push((centres[layer][position], top));
                if tallest > HEIGHT {
                    points.push((centres[layer][position], top + tallest));
                }
            }
            points.push((to_x + to_width / 2.0, to_y));
            points
        };
        drawing.ways.push(DrawnWay {
            from: plan.states[route.from].name.clone(),
            to: step.to.clone(),
            way: step.way,
            label: step.label.clone(),
            points,
            back: route.back,
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SHIPPED: &str = include_str!("../../../../statemachine/media-processing.asl.json");

    #[test]
    fn no_state_of_the_shipped_machine_covers_another() {
        let plan = Plan::read(SHIPPED).unwrap();
        let drawing = drawn(&plan);
        assert_eq!(drawing.states.len(), plan.size());
        for (at, one) in drawing.states.iter().enumerate() {
            assert!(one.x >= 0.0 && one.x + one.width <= drawing.width, "{one:?} is outside");
            assert!(one.y >= 0.0 && one.y + one.height <= drawing.height, "{one:?} is outside");
            for other in &drawing.states[at + 1..] {
                let beside = one.x + one.width <= other.x || other.x + other.width <= one.x;
                let below = one.y + one.height <= other.y || other.y + other.height <= one.y;
                assert!(beside || below || one.around || other.around, "{} and {}", one.name, other.name);
            }
        }
    }
}
