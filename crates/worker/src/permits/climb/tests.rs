//! The climber on made-up stores, in made-up time.

use super::*;

/// A store that answers in `latency` until `knee` requests are in flight, and then shares its rate among them.
struct Store {
    latency: f64,
    knee: f64,
    bytes: u64,
    /// Part of the rate by which samples miss it, either way.
    noise: f64,
    random: u64,
}

impl Store {
    fn new(latency: f64, knee: f64, bytes: u64) -> Self {
        Self { latency, knee, bytes, noise: 0.0, random: 1 }
    }

    fn noise(&mut self) -> f64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1.0 + self.noise * (2.0 * (self.random >> 11) as f64 / (1u64 << 53) as f64 - 1.0)
    }

    fn elapsed(&self, limit: usize) -> f64 {
        self.latency * (limit as f64 / self.knee).max(1.0)
    }

    fn rate(&self, limit: usize) -> f64 {
        limit as f64 / self.elapsed(limit)
    }

    /// Lets the climber work for so many seconds; returns the limits that it went through, each with its time.
    fn run(&mut self, climb: &mut Climb, now: &mut Instant, seconds: f64) -> Vec<(f64, usize)> {
        let mut seen = Vec::new();
        let mut time = 0.0;
        while time < seconds {
            let elapsed = self.elapsed(climb.limit());
            let window = elapsed.max(0.25);
            let count = (self.rate(climb.limit()) * window * self.noise()).round().max(1.0);
            let mut sample =
                Sample { window: Duration::from_secs_f64(window), saturated: true, ..Sample::default() };
            for _ in 0..count as usize {
                sample.add(self.bytes, Duration::from_secs_f64(elapsed * self.noise()));
            }
            time += window;
            *now += sample.window;
            climb.sample(*now, &sample);
            seen.push((time, climb.limit()));
        }
        seen
    }
}

fn kinds() -> [(f64, u64); 3] {
    [(0.02, 16 << 10), (0.3, 16 << 20), (1.0, 64 << 20)]
}

#[test]
fn climbs_as_high_as_it_pays() {
    for (latency, bytes) in kinds() {
        let (mut climb, mut now) = (Climb::new(4, 32, 256), Instant::now());
        let seen = Store::new(latency, 1e9, bytes).run(&mut climb, &mut now, 60.0 * latency.max(0.25));
        assert!(seen.iter().any(|(_, limit)| *limit == 256), "{latency} s: {seen:?}");
    }
}

#[test]
fn stays_where_the_curve_gets_flat() {
    for (latency, bytes) in kinds() {
        for knee in [12.0, 48.0, 150.0] {
            for noise in [0.0, 0.03] {
                let (mut climb, mut now) = (Climb::new(4, 32, 256), Instant::now());
                let mut store = Store { noise, ..Store::new(latency, knee, bytes) };
                let unit = latency.max(0.25);
                store.run(&mut climb, &mut now, 100.0 * unit);
                let seen = store.run(&mut climb, &mut now, 200.0 * unit);
                let mean = |f: &dyn Fn(usize) -> f64| {
                    seen.iter().map(|(_, limit)| f(*limit)).sum::<f64>() / seen.len() as f64
                };
                let (rate, limit) = (mean(&|l| store.rate(l)), mean(&|l| l as f64));
                let what = format!("{latency} s, knee {knee}, noise {noise}: rate {rate}, limit {limit}");
                assert!(rate > 0.9 * knee / latency, "too low: {what}");
                assert!(limit < 1.7 * knee, "too high: {what}");
            }
        }
    }
}

#[test]
fn a_storm_halves_and_is_forgotten() {
    let (mut climb, mut now) = (Climb::new(4, 32, 256), Instant::now());
    let mut store = Store::new(0.1, 64.0, 1 << 20);
    store.run(&mut climb, &mut now, 20.0);
    let before = climb.limit();
    // A thousand refusals within half a second are one storm.
    for _ in 0..1000 {
        now += Duration::from_micros(500);
        climb.throttled(now);
    }
    let once = climb.limit();
    assert!(once < before && once * 10 >= before * 6, "{before} → {once}");
    now += BETWEEN_CUTS;
    climb.throttled(now);
    assert!(climb.limit() * 2 <= before, "{before} → {}", climb.limit());
    for _ in 0..100 {
        now += BETWEEN_CUTS;
        climb.throttled(now);
    }
    assert_eq!(climb.limit(), 4);

    let seen = store.run(&mut climb, &mut now, 10.0);
    assert!(
        seen.iter().any(|(_, limit)| store.rate(*limit) > 0.75 * store.rate(before)),
        "{before}: {seen:?}"
    );
}

#[test]
fn rests_below_where_it_was_refused() {
    let (mut climb, mut now) = (Climb::new(4, 64, 256), Instant::now());
    climb.throttled(now);
    now += BETWEEN_CUTS;
    let mut store = Store::new(0.1, 1e9, 1 << 20);
    let seen = store.run(&mut climb, &mut now, 8.0);
    assert!(seen.iter().all(|s| s.1 < 58) && climb.limit() > 48, "{seen:?}");
    store.run(&mut climb, &mut now, 10.0);
    assert!(climb.limit() > 64, "and then goes on: {}", climb.limit());
}

#[test]
fn says_nothing_when_nobody_waited() {
    let (mut climb, mut now) = (Climb::new(4, 32, 256), Instant::now());
    for i in 0..100u32 {
        now += Duration::from_secs(1);
        let mut sample = Sample { window: Duration::from_secs(1), ..Sample::default() };
        (0..=i).for_each(|_| sample.add(1 << 20, Duration::from_millis(10)));
        climb.sample(now, &sample);
    }
    assert_eq!(climb.limit(), 32);
}

#[test]
fn a_queue_in_the_store_is_cut() {
    let (mut climb, mut now) = (Climb::new(4, 32, 256), Instant::now());
    Store::new(0.02, 200.0, 16 << 10).run(&mut climb, &mut now, 10.0);
    let before = climb.limit();
    assert!(before > 120, "{before}");
    // The store has a fourth of its strength left.
    let seen = Store::new(0.02, 40.0, 16 << 10).run(&mut climb, &mut now, 20.0);
    assert!(seen.iter().any(|s| s.1 <= 80), "{before} → {seen:?}");
    assert!(climb.limit() >= 30, "{seen:?}");
}

#[test]
fn bounds_hold_whatever_is_asked() {
    for (least, start, most, limit) in [(4, 32, 256, 32), (0, 0, 0, 1), (8, 1, 4, 4), (1, 500, 100, 100)] {
        assert_eq!(Climb::new(least, start, most).limit(), limit);
    }
    let (mut climb, mut now) = (Climb::new(1, 1, 2), Instant::now());
    Store::new(0.01, 1e9, 1).run(&mut climb, &mut now, 5.0);
    assert!((1..=2).contains(&climb.limit()));
}
