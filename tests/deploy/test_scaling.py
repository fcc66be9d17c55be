"""How the fleet grows and shrinks: series of figures, drawn and random, against the alarms and policies of the plan."""

import json
import random

import pytest

import metric_math
from scaling import Fleet, read
from terraform import Terraform

MOST = 10
IDLE = 15
SEEDS = range(60)
PROVIDER = """
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}
"""
SCALING = {"name": "longbow", "group_name": "workers", "queue_name": "jobs", "jobs_per_worker": 100, "idle_minutes": IDLE, "warmup_seconds": 180}
WATCHING = {
    "name": "longbow", "region": "us-east-1", "queue_name": "jobs", "dead_letters_name": "dead", "group_name": "workers",
    "jobsender_group_name": "jobsender", "log_retention_days": 30, "oldest_job_minutes": 360, "silence_minutes": 15,
    "batch_finished_minutes": 5, "account_id": "123456789012", "partition": "aws",
}  # fmt: skip


FLEETS = {f"{mode}-from-{least}": (mode, least) for mode in ("backlog", "thresholds") for least in (0, 1)}


@pytest.fixture(scope="session")
def plan(tmp_path_factory):
    """Plans all fleets and what watches them at once; that asks AWS nothing."""
    terraform = Terraform(tmp_path_factory.mktemp("played"))
    terraform.module = terraform.module / "played"
    terraform.module.mkdir()
    calls = {name: {"source": "../modules/scaling", **SCALING, "mode": mode, "min_size": least} for name, (mode, least) in FLEETS.items()}
    calls["watching"] = {"source": "../modules/observability", **WATCHING}
    (terraform.module / "provider.tf").write_text(PROVIDER)
    (terraform.module / "main.tf.json").write_text(json.dumps({"module": calls}))
    terraform.init()
    terraform("plan", "-input=false", "-no-color", "-out=plan")
    return terraform.json("show", "-json", "plan")


@pytest.fixture(params=FLEETS)
def new(request, plan):
    """Makes fleets of one kind."""
    mode, least = FLEETS[request.param]

    def make(start=None):
        fleet = Fleet(read(plan, request.param), least, MOST, start)
        fleet.mode = mode
        return fleet

    return make


def rested(series, minute):
    """Minutes without any job that had passed before the end of this one."""
    count = 0
    for figures in reversed(series[: minute + 1]):
        if None in figures or sum(figures) > 0:
            return count
        count += 1
    return count


def random_series(chance, minutes=300):
    """Bursts, trickles, rests and gaps in the figures."""
    series = []
    while len(series) < minutes:
        kind = chance.choice(["burst", "trickle", "rest", "gap", "in flight", "delayed", "flutter"])
        for n in range(chance.randint(1, 40)):
            series.append({
                "burst": (chance.randint(0, 50_000), chance.randint(0, 2_000), 0),
                "trickle": (chance.randint(0, 3), chance.randint(0, 3), 0),
                "rest": (0, 0, 0),
                "gap": (None, None, None),
                "in flight": (0, chance.randint(1, 300), 0),
                "delayed": (0, 0, chance.randint(1, 300)),
                "flutter": (n % 2, 0, 0),
            }[kind])  # fmt: skip
    return series


@pytest.mark.parametrize("seed", SEEDS)
def test_what_holds_for_any_series(new, seed):
    chance = random.Random(seed)
    fleet, series = new(), random_series(chance)
    for minute, figures in enumerate(series):
        before = fleet.desired
        after = fleet.step(*figures)
        assert fleet.least <= after <= MOST
        if after < before:
            # In is to the least only, and only after a full rest: nothing visible, in flight or delayed, no figure missing.
            assert after == fleet.least and rested(series, minute) >= IDLE, (minute, figures)
        visible, inflight, _ = figures
        if before == 0 and visible is not None and visible + inflight > 0:
            assert after > 0, f"jobs at minute {minute} and nobody comes"
        if rested(series, minute) >= 20:
            assert after == fleet.least, f"still {after} after {rested(series, minute)} minutes of rest"
    # No flapping: down and up again takes a full rest in between, whatever happens.
    for (at, old, mid), (_, _, _) in zip(fleet.moves, fleet.moves[1:]):
        assert mid != old
    downs = [minute for minute, old, mid in fleet.moves if mid < old]
    assert all(later - earlier >= IDLE for earlier, later in zip(downs, downs[1:]))


def test_a_steady_backlog_orders_no_more_than_it_needs(new):
    fleet = new(start=1)
    for _ in range(60):
        fleet.step(visible=150, inflight=0)
    if fleet.mode == "backlog":
        assert fleet.desired == 2, fleet.history
    else:
        assert fleet.desired == MOST, "as Longbow: as long as there are a hundred"


def test_a_large_batch_gets_all_machines_within_minutes_and_a_small_one_does_not(new):
    fleet = new()
    for minute in range(15):
        fleet.step(visible=100_000, inflight=256 * fleet.desired)
    assert fleet.desired == MOST, fleet.history
    fleet = new()
    for minute in range(60):
        fleet.step(visible=20, inflight=20)
    assert fleet.desired == 1, fleet.history


def test_longbows_thresholds(plan):
    for jobs, added in ((99, 0), (100, 1), (499, 1), (500, 2), (100_000, 2)):
        assert Fleet(read(plan, "thresholds-from-1"), 1, MOST).step(visible=jobs) == 1 + added, jobs


def test_machines_on_their_way_are_not_ordered_twice(new):
    fleet = new(start=1)
    fleet.step(visible=200)
    first = fleet.desired
    assert first == 2
    if fleet.mode == "thresholds":
        fleet.step(visible=200)
        assert fleet.desired == first, "it warms up"


def test_a_batch_from_beginning_to_end(new):
    """Workers take jobs away; at the end all machines go, and not before."""
    fleet, left = new(), 30_000
    working, minutes = [], 0
    while left > 0:
        # A machine works three minutes after it was wanted.
        working.append(fleet.desired)
        at_work = working[-4] if len(working) > 3 else 0
        inflight = min(left, 256 * at_work)
        before = fleet.desired
        fleet.step(left - inflight, inflight)
        assert fleet.desired >= before, "in while there are jobs"
        left -= min(left, 500 * at_work)
        minutes += 1
        assert minutes < 120
    for _ in range(20):
        fleet.step(0, 0, 0)
    assert fleet.desired == fleet.least
    assert [new < old for _, old, new in fleet.moves].count(True) == 1


def test_the_last_job_in_flight_keeps_the_fleet(new):
    fleet = new(start=5)
    for _ in range(180):
        fleet.step(0, 1, 0)
    assert fleet.desired >= 5
    for _ in range(180):
        fleet.step(0, 0, 1)
    assert fleet.desired >= 5


def test_missing_figures_are_no_rest(new):
    fleet = new(start=5)
    for _ in range(180):
        fleet.step(None, None, None)
    assert fleet.desired == 5


def watched(plan, name):
    [alarm] = [a for a in read(plan, "watching") if a.name == f"aws_cloudwatch_metric_alarm.{name}"]
    return alarm


def figures(visible, inflight=0, delayed=0, **more):
    return {
        "ApproximateNumberOfMessagesVisible": visible, "ApproximateNumberOfMessagesNotVisible": inflight,
        "ApproximateNumberOfMessagesDelayed": delayed, **more,
    }  # fmt: skip


def test_the_end_of_a_batch_is_told_exactly_once(plan):
    alarm = watched(plan, "batch_finished")
    minute = 0

    def go(minutes, *found):
        nonlocal minute
        for _ in range(minutes):
            alarm.look(figures(*found), minute)
            minute += 1

    # A new queue has no figures: nothing is told.
    go(60, None, None, None)
    assert alarm.messages() == []
    for batch in (1, 2, 3):
        go(30, 500, 20)
        go(4, 0, 0, 0)
        go(1, 0, 0, 1)
        go(10, 0, 1, 0)
        assert len(alarm.messages()) == batch - 1
        go(60, 0, 0, 0)
        go(600, None, None, None)
        assert len(alarm.messages()) == batch


def test_silence_is_told_when_jobs_wait_and_nobody_lives(plan):
    alarm = watched(plan, "silence")
    for minute in range(60):
        alarm.look(figures(10, WorkersAlive=2), minute)
    assert alarm.state == "OK"
    for minute in range(60, 74):
        alarm.look(figures(10), minute)
    assert alarm.state == "OK", "machines need their time to come"
    alarm.look(figures(10), 75)
    assert alarm.state == "ALARM"
    alarm.look(figures(10, WorkersAlive=1), 76)
    assert alarm.state == "OK"
    quiet = watched(plan, "silence")
    for minute in range(60):
        quiet.look(figures(0), minute)
    assert quiet.messages() == [], "no jobs, no silence"


def test_one_dead_letter_is_told(plan):
    alarm = watched(plan, "dead_letters")
    alarm.look({"ApproximateNumberOfMessagesVisible": 0}, 0)
    alarm.look({"ApproximateNumberOfMessagesVisible": 1}, 1)
    # Nobody touches it, and the figures end; the letter is still there, and is told once.
    alarm.look({}, 2)
    assert alarm.state == "ALARM"
    alarm.look({"ApproximateNumberOfMessagesVisible": 1}, 3)
    assert alarm.messages() == [1]


@pytest.mark.parametrize(("name", "metric"), [("failures", "ObjectsFailed"), ("errors", "Errors"), ("jobsender", "RunFailed")])
def test_whatever_fails_is_told_once_until_it_is_well_again(plan, name, metric):
    alarm = watched(plan, name)
    alarm.look({metric: None}, 0)
    alarm.look({metric: 0}, 1)
    assert alarm.messages() == [], "a fleet that rests or does its work is no news"
    alarm.look({metric: 1}, 2)
    alarm.look({metric: 250}, 3)
    assert alarm.messages() == [2]
    # No worker lives any more: what failed is over.
    alarm.look({metric: None}, 4)
    assert alarm.state == "OK"
    alarm.look({metric: 3}, 5)
    assert alarm.messages() == [2, 5]


def test_a_job_that_grows_old_is_told_and_one_late_look_is_not(plan):
    alarm = watched(plan, "oldest_job")
    limit = WATCHING["oldest_job_minutes"] * 60
    for at, age in enumerate((limit, limit + 1, limit + 1, 0, None, limit + 1, limit + 1)):
        alarm.look({"ApproximateAgeOfOldestMessage": age}, at)
    assert alarm.messages() == [], "never for three periods on end"
    alarm.look({"ApproximateAgeOfOldestMessage": limit + 1}, 7)
    assert alarm.messages() == [7]


@pytest.mark.no_terraform
def test_metric_math():
    found = {"a": 2.0, "b": 0.0, "gone": None}
    for text, value in {
        "a + 3 * 4": 14, "(a + 3) * 4": 20, "a - 1 - 1": 0, "a / b": None, "a > 1 AND b < 1": 1, "a > 1 AND b > 1": 0,
        "b > 1 OR a > 1": 1, "IF(a > 1, 7, 8)": 7, "IF(b, 7)": None, "FILL(gone, 5) + a": 7, "gone + 1": None,
        "IF(gone > 0, 1, 0)": None, "MAX(a, 5)": 5, "1.5 * a": 3,
    }.items():  # fmt: skip
        assert metric_math.evaluate(text, found) == value, text
    for wrong in ("SEARCH(a)", "a +", "a $ b", "nobody", "(a", "a b"):
        with pytest.raises((metric_math.Unknown, IndexError)):
            metric_math.evaluate(wrong, found)
    assert metric_math.names("IF(visible > 0 AND FILL(alive, 0) < 1, 1, 0)") == {"visible", "alive"}
