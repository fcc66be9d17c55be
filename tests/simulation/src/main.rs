//! `simulation`: many schedules, or one of them with its journal.
fn main() {
    let seed: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(1);
    let (verdict, journal) = simulation::replay(simulation::Plan::of(seed));
    for entry in &journal {
        println!("{entry}");
    }
    println!("{:?}", verdict);
}
