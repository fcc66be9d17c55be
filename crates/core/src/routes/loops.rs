//! Rings of routes: what one writes, the next reads, and so on back to the first.

use super::{NamedRoute, RouteName};
use crate::object::Location;

/// Whether two locations of one store have objects in common: one holds the other, or they are the same.
pub(super) fn meet(a: &Location, b: &Location) -> bool {
    match (a, b) {
        (Location::S3 { bucket: a, prefix: p }, Location::S3 { bucket: b, prefix: q }) => {
            a == b && (p.contains(q) || q.contains(p))
        }
        _ => false,
    }
}

fn feeds(a: &NamedRoute, b: &NamedRoute) -> bool {
    a.stores.destination == b.stores.source && meet(&a.route.destination, &b.route.source)
}

/// A shortest ring through each route that is in one and in no ring found before. A route that feeds itself is another
/// fault and no ring.
pub(super) fn cycles(routes: &[NamedRoute]) -> Vec<Vec<RouteName>> {
    let next: Vec<Vec<usize>> = routes
        .iter()
        .enumerate()
        .map(|(i, a)| {
            let fed = routes.iter().enumerate().filter(|(j, b)| i != *j && feeds(a, b));
            fed.map(|(j, _)| j).collect()
        })
        .collect();
    let mut in_ring = vec![false; routes.len()];
    let mut rings = Vec::new();
    for start in 0..routes.len() {
        if in_ring[start] {
            continue;
        }
        let Some(ring) = ring_through(start, &next) else { continue };
        for i in &ring {
            in_ring[*i] = true;
        }
        rings.push(ring.into_iter().map(|i| routes[i].name.clone()).collect());
    }
    rings
}

/// Breadth first from `start` back to it.
fn ring_through(start: usize, next: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut came_from = vec![None; next.len()];
    let mut wave = std::collections::VecDeque::from([start]);
    while let Some(at) = wave.pop_front() {
        for to in &next[at] {
            if *to == start {
                let mut ring = vec![at];
                let mut back = at;
                while back != start {
                    back = came_from[back]?;
                    ring.push(back);
                }
                ring.reverse();
                return Some(ring);
            }
            if came_from[*to].is_none() {
                came_from[*to] = Some(at);
                wave.push_back(*to);
            }
        }
    }
    None
}
