//! Rates against stores of a few lines, in steps of a millisecond.

use std::collections::VecDeque;

use super::*;

/// So many clients that each have one request in flight.
struct Load {
    rate: Rate,
    now: Instant,
    began: Instant,
    latency: Duration,
    idle: usize,
    flying: VecDeque<(Instant, Ticket, bool)>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Second {
    answered: u32,
    refused: u32,
}

impl Load {
    fn new(clients: usize, latency: u64) -> Self {
        let now = Instant::now();
        let latency = Duration::from_millis(latency);
        Self { rate: Rate::new(now), now, began: now, latency, idle: clients, flying: VecDeque::new() }
    }

    /// For so long, a store that refuses what the function says at the time of the request.
    fn run(&mut self, seconds: u32, mut refuses: impl FnMut(Duration) -> bool) -> Vec<Second> {
        let mut seen = vec![Second::default(); seconds as usize];
        for step in 0..seconds * 1000 {
            let second = &mut seen[(step / 1000) as usize];
            while self.flying.front().is_some_and(|(at, ..)| *at <= self.now) {
                let (_, ticket, refused) = self.flying.pop_front().unwrap();
                self.idle += 1;
                if refused {
                    second.refused += 1;
                    self.rate.refused(self.now, ticket, 0.5);
                } else {
                    second.answered += 1;
                    self.rate.answered(self.now, ticket);
                }
            }
            while self.idle > 0
                && let Turn::Go(ticket) = self.rate.turn(self.now, 0.5)
            {
                self.idle -= 1;
                let refused = refuses(self.now - self.began);
                self.flying.push_back((self.now + self.latency, ticket, refused));
            }
            self.now += Duration::from_millis(1);
        }
        seen
    }
}

fn sum(seconds: &[Second]) -> (f64, f64) {
    let answered: u32 = seconds.iter().map(|s| s.answered).sum();
    let refused: u32 = seconds.iter().map(|s| s.refused).sum();
    (f64::from(answered), f64::from(refused))
}

/// A store that answers so many requests a second and refuses the others, with what a tenth of a second allows in reserve.
fn bucket(limit: f64) -> impl FnMut(Duration) -> bool {
    let (mut tokens, mut last) = (limit / 10.0, Duration::ZERO);
    move |now| {
        tokens = (tokens + (now - last).as_secs_f64() * limit).min(limit / 10.0);
        last = now;
        let refused = tokens < 1.0;
        if !refused {
            tokens -= 1.0;
        }
        refused
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_back_where_nothing_is_refused() {
    let mut load = Load::new(50, 10);
    let seen = load.run(10, |_| false);
    assert!(sum(&seen).0 > 49_000.0);
    assert!(load.rate.free().is_some() && !load.rate.holds());
}

#[tokio::test(start_paused = true)]
async fn a_storm_costs_hardly_a_request_and_is_over_when_it_is_over() {
    for (clients, latency) in [(4, 50), (50, 10), (256, 100), (1, 20)] {
        let mut load = Load::new(clients, latency);
        let usual = sum(&load.run(20, |_| false)[10..]).0 / 10.0;
        let storm = load.run(300, |_| true);
        let refused = sum(&storm).1;
        // What was in flight, and one each four seconds.
        assert!(refused < clients as f64 + 120.0, "{refused} refused of {clients} clients");
        let after = load.run(20, |_| false);
        let back = after.iter().position(|s| f64::from(s.answered) > 0.9 * usual).unwrap();
        assert!(back < 9, "{clients} clients, {latency} ms: {usual} a second before, then {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn settles_near_what_a_store_allows() {
    for limit in [20.0, 100.0, 1000.0] {
        for (clients, latency) in [(32, 20), (256, 20), (16, 2)] {
            let possible = clients as f64 * 1000.0 / latency as f64;
            let mut load = Load::new(clients, latency);
            let seen = load.run(60, bucket(limit));
            let (answered, refused) = sum(&seen[10..]);
            let share = refused / (answered + refused);
            let what =
                format!("limit {limit}, {clients} clients, {latency} ms: {answered} in 50 s, share {share}");
            println!("{what}");
            assert!(answered > 0.85 * 50.0 * limit.min(possible), "{what}");
            assert!(share < if limit < 50.0 { 0.1 } else { 0.05 }, "{what}");
            let (answered, refused) = sum(&seen);
            println!("from the beginning: {}", refused / (answered + refused));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_moves_is_followed() {
    let mut load = Load::new(64, 20);
    load.run(20, bucket(500.0));
    // Each new store counts from the beginning of all.
    let lower = sum(&load.run(20, bucket(50.0))[5..]);
    assert!(lower.0 > 0.8 * 15.0 * 50.0 && lower.1 / lower.0 < 0.1, "{lower:?}");
    let higher = load.run(40, bucket(1000.0));
    let end = sum(&higher[30..]);
    assert!(end.0 > 0.8 * 10.0 * 1000.0, "{higher:?}");
}

/// Slowness does not help against a store that refuses so much of everything, however little it is asked.
#[tokio::test(start_paused = true)]
async fn refusals_by_chance_cost_what_they_must() {
    for (of_ten, least) in [(3, 0.6), (5, 0.5), (6, 0.1)] {
        let mut load = Load::new(32, 20);
        let mut n: u32 = 7;
        let seen = load.run(120, |_| {
            n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            n >> 16 < 65_536 * of_ten / 10
        });
        let (answered, refused) = sum(&seen[10..]);
        let made = (answered + refused) / 110.0;
        println!("{of_ten} of ten: {made} requests a second of 1600, {refused} refused, {answered} answered");
        assert!((refused / (answered + refused) - f64::from(of_ten) / 10.0).abs() < 0.02);
        assert!(made > least * 1600.0, "{of_ten} of ten: {made} a second");
        if of_ten == 3 {
            // Never so slow for long that nothing moves.
            assert!(seen[3..].iter().all(|s| s.answered > 150), "{seen:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_decision_says_nothing_about_it() {
    let now = Instant::now();
    let mut rate = Rate::new(now);
    let old = rate.free().unwrap();
    for _ in 0..STORM {
        rate.refused(now, old, 0.5);
    }
    assert!(rate.is_closed());
    assert_eq!(rate.refused(now, old, 0.5), Change::None);
    assert_eq!(rate.answered(now, old), Change::None, "it was sent when all went well");
    assert!(rate.is_closed());
    let Turn::Wait(then) = rate.turn(now, 0.5) else { panic!("one at a time") };
    let Turn::Go(probe) = rate.turn(then, 0.5) else { panic!("and at that time one") };
    assert!(matches!(rate.turn(then, 0.5), Turn::Wait(_)));
    assert_eq!(rate.answered(then, probe), Change::Opened);
}
