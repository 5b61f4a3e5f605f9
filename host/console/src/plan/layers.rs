//! The states of one plan in layers, from the first state downwards, so that lines lead down and cross little.
//!
//! After Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures" (1981): ways back are
//! left out, each state is below all that lead to it, long ways get a place in each layer that they cross, and the order in a
//! layer follows the neighbours' mean.

use std::collections::HashMap;

use super::read::Plan;

/// How often the order of all layers is improved.
const SWEEPS: usize = 6;

/// Something with a place in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The state with this index.
    State(usize),
    /// A way passes here: which one.
    Passing(usize),
}

/// A way between two states, with all places from one to the other.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// The state that it leads from, and which of its steps it is.
    pub(super) from: usize,
    pub(super) step: usize,
    /// The state that it leads to.
    pub(super) to: usize,
    /// It leads to a layer above, or to the same state.
    pub(super) back: bool,
    /// The places that it passes: layer and position there, from above.
    pub(super) places: Vec<(usize, usize)>,
}

/// The layers of a plan.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) rows: Vec<Vec<Place>>,
    pub(super) routes: Vec<Route>,
}

/// Returns the layers.
pub(super) fn layered(plan: &Plan) -> Layers {
    let index: HashMap<&str, usize> =
        plan.states.iter().enumerate().map(|(at, state)| (state.name.as_str(), at)).collect();
    let mut routes: Vec<Route> = Vec::new();
    for (from, state) in plan.states.iter().enumerate() {
        for (step, way) in state.steps.iter().enumerate() {
            if let Some(&to) = index.get(way.to.as_str()) {
                routes.push(Route { from, step, to, back: false, places: Vec::new() });
            }
        }
    }
    let order = mark_back(plan, &index, &mut routes);
    let depth = depths(plan.states.len(), &order, &routes);
    let mut rows: Vec<Vec<Place>> = vec![Vec::new(); depth.iter().max().map_or(0, |deepest| deepest + 1)];
    for &state in &order {
        rows[depth[state]].push(Place::State(state));
    }
    for (at, route) in routes.iter().enumerate().filter(|(_, route)| !route.back) {
        for row in &mut rows[depth[route.from] + 1..depth[route.to]] {
            row.push(Place::Passing(at));
        }
    }
    arrange(&mut rows, &routes);
    for (layer, row) in rows.iter().enumerate() {
        for (position, place) in row.iter().enumerate() {
            if let Place::Passing(route) = place {
                routes[*route].places.push((layer, position));
            }
        }
    }
    Layers { rows, routes }
}

/// Marks the ways back of a search in depth. Returns the states so that each is behind all that lead to it; states that
/// nothing leads to are last.
fn mark_back(plan: &Plan, index: &HashMap<&str, usize>, routes: &mut [Route]) -> Vec<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        Open,
        Done,
    }
    let mut seen = vec![Seen::No; plan.states.len()];
    let mut done = Vec::new();
    let first = index.get(plan.start.as_str()).copied();
    for root in first.into_iter().chain(0..plan.states.len()) {
        if seen[root] != Seen::No {
            continue;
        }
        let mut open = vec![(root, 0)];
        seen[root] = Seen::Open;
        while let Some((state, next)) = open.last_mut() {
            let state = *state;
            let found = routes.iter_mut().enumerate().skip(*next).find(|(_, route)| route.from == state);
            let Some((at, route)) = found else {
                seen[state] = Seen::Done;
                done.push(state);
                open.pop();
                continue;
            };
            *next = at + 1;
            match seen[route.to] {
                Seen::Open => route.back = true,
                Seen::Done => {}
                Seen::No => {
                    seen[route.to] = Seen::Open;
                    let to = route.to;
                    open.push((to, 0));
                }
            }
        }
    }
    done.reverse();
    done
}

/// Returns the layer of each state: the longest way to it.
fn depths(states: usize, order: &[usize], routes: &[Route]) -> Vec<usize> {
    let mut depth = vec![0; states];
    for &state in order {
        for route in routes.iter().filter(|route| route.from == state && !route.back) {
            depth[route.to] = depth[route.to].max(depth[state] + 1);
        }
    }
    depth
}

/// Sorts every layer by the mean position of the neighbours above, then of those below, several times.
fn arrange(rows: &mut [Vec<Place>], routes: &[Route]) {
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let layers: Vec<usize> =
            if down { (1..rows.len()).collect() } else { (0..rows.len().saturating_sub(1)).rev().collect() };
        for layer in layers {
            let beside = if down { layer - 1 } else { layer + 1 };
            let positions: Vec<(Place, usize)> =
                rows[beside].iter().enumerate().map(|(at, place)| (*place, at)).collect();
            let mut sorted: Vec<(f64, Place)> = rows[layer]
                .iter()
                .enumerate()
                .map(|(at, place)| (mean(*place, &positions, routes, down).unwrap_or(at as f64), *place))
                .collect();
            sorted.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            rows[layer] = sorted.into_iter().map(|(_, place)| place).collect();
        }
    }
}

fn mean(place: Place, beside: &[(Place, usize)], routes: &[Route], above: bool) -> Option<f64> {
    let found: Vec<f64> =
        beside.iter().filter(|(other, _)| linked(place, *other, routes, above)).map(|(_, at)| *at as f64).collect();
    (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
}

/// Returns whether a way leads between two places of neighbouring layers. `above`: `other` is the upper one.
pub(super) fn linked(place: Place, other: Place, routes: &[Route], above: bool) -> bool {
    let (upper, lower) = if above { (other, place) } else { (place, other) };
    match (upper, lower) {
        (Place::Passing(one), Place::Passing(two)) => one == two,
        (Place::State(state), Place::Passing(route)) => routes[route].from == state,
        (Place::Passing(route), Place::State(state)) => routes[route].to == state,
        (Place::State(from), Place::State(to)) => {
            routes.iter().any(|route| !route.back && route.from == from && route.to == to)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_state_is_below_all_that_lead_to_it_and_ways_back_are_marked() {
        let text = r#"{"StartAt": "A", "States": {
            "C": {"Type": "Task", "Next": "A"},
            "A": {"Type": "Choice", "Choices": [{"Next": "B"}], "Default": "C"},
            "B": {"Type": "Task", "Next": "C"},
            "Lost": {"Type": "Succeed"}}}"#;
        let plan = Plan::read(text).unwrap();
        let layers = layered(&plan);
        let layer = |name: &str| {
            let index = plan.states.iter().position(|state| state.name == name).unwrap();
            layers.rows.iter().position(|row| row.contains(&Place::State(index))).unwrap()
        };
        assert_eq!((layer("A"), layer("B"), layer("C")), (0, 1, 2));
        let back: Vec<_> =
            layers.routes.iter().filter(|route| route.back).map(|route| (route.from, route.to)).collect();
        assert_eq!(back, [(0, 1)]);
        let long = layers.routes.iter().find(|route| route.from == 1 && route.to == 0).unwrap();
        assert_eq!(long.places.len(), 1, "A to C passes the layer of B");
    }
}
