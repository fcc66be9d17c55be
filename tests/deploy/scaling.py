"""Plays series of figures against the alarms and policies of a plan: no emulator evaluates alarms.

It reads what `terraform show -json` says of aws_cloudwatch_metric_alarm and aws_autoscaling_policy and goes on minute by minute, as
CloudWatch and EC2 Auto Scaling document it: an alarm looks at its last periods; while it is in ALARM its policy acts each minute; step
scaling counts machines that still warm up as part of what it adds; a message is sent on a change of state only. What holds is
judged by the tests, not here.
"""

import re
from dataclasses import dataclass, field

from metric_math import evaluate


@dataclass
class Policy:
    """A step scaling policy."""

    values: dict
    # Minutes at which what it added will be warm, one a machine.
    warming: list = field(default_factory=list)

    def wanted(self, breach, desired, minute):
        """The capacity that it asks for; `breach` is how far the figure is above the threshold."""
        step = next(s for s in self.values["step_adjustment"] if self._in(s, breach))
        if self.values["adjustment_type"] == "ExactCapacity":
            return step["scaling_adjustment"]
        assert self.values["adjustment_type"] == "ChangeInCapacity"
        self.warming = [end for end in self.warming if end > minute]
        return desired + max(0, step["scaling_adjustment"] - len(self.warming))

    @staticmethod
    def _in(step, breach):
        low, high = (step[f"metric_interval_{end}_bound"] for end in ("lower", "upper"))
        number = lambda text, default: float(text) if text not in (None, "") else default  # noqa: E731
        return number(low, float("-inf")) <= breach < number(high, float("inf"))

    def acted(self, added, minute):
        """Remembers machines on their way."""
        warmup = self.values["estimated_instance_warmup"] or 0
        self.warming += [minute + -(-warmup // 60)] * max(0, added)


@dataclass
class Alarm:
    """An alarm, and the policy that it moves."""

    name: str
    values: dict
    policy: Policy | None
    state: str = "INSUFFICIENT_DATA"
    seen: list = field(default_factory=list)
    changes: list = field(default_factory=list)

    def figure(self, figures):
        """What it looks at, in one minute."""
        queries = self.values["metric_query"]
        if not queries:
            return figures.get(self.values["metric_name"])
        found = {}
        for query in queries:
            if query["metric"]:
                [metric] = query["metric"]
                assert metric["period"] == 60
                found[query["id"]] = figures.get(metric["metric_name"])
        [shown] = [query for query in queries if query["return_data"]]
        return evaluate(shown["expression"], found)

    def look(self, figures, minute):
        """The figure of this minute; the state may change."""
        value = self.figure(figures)
        self.seen.append(value)
        periods = self.values["evaluation_periods"]
        last = self.seen[-periods:]
        needed = self.values["datapoints_to_alarm"] or periods
        how = self.values["treat_missing_data"]
        if how == "ignore" and (len(last) < periods or all(v is None for v in last)):
            return value
        breaching = [self._breaches(v) if v is not None else how == "breaching" for v in last]
        state = "ALARM" if sum(breaching) >= needed else "OK"
        if state != self.state:
            self.changes.append((minute, self.state, state))
            self.state = state
        return value

    def _breaches(self, value):
        threshold = self.values["threshold"]
        return {
            "GreaterThanOrEqualToThreshold": value >= threshold,
            "GreaterThanThreshold": value > threshold,
            "LessThanThreshold": value < threshold,
            "LessThanOrEqualToThreshold": value <= threshold,
        }[self.values["comparison_operator"]]

    def messages(self):
        """Minutes at which somebody was told of the alarm."""
        return [minute for minute, _, state in self.changes if state == "ALARM"]


def read(plan, name):
    """The alarms of one module of a plan, with their policies."""
    [module] = [m for m in plan["planned_values"]["root_module"]["child_modules"] if m["address"] == f"module.{name}"]
    called = plan["configuration"]["root_module"]["module_calls"][name]["module"]["resources"]
    configured = {r["address"]: r for r in called}
    resources = {r["address"].removeprefix(f"module.{name}."): r for r in module["resources"]}
    policies = {a: Policy(r["values"]) for a, r in resources.items() if r["type"] == "aws_autoscaling_policy"}
    alarms = []
    for address, resource in resources.items():
        if resource["type"] != "aws_cloudwatch_metric_alarm":
            continue
        plain = re.sub(r"\[.*", "", address)
        wanted = configured[plain]["expressions"].get("alarm_actions", {}).get("references", [])
        names = {r for r in wanted if re.fullmatch(r"aws_autoscaling_policy\.\w+", r)}
        found = [policies[p] for p in policies if re.sub(r"\[.*", "", p) in names and p.count("[") == address.count("[")]
        assert len(found) <= 1, address
        alarms.append(Alarm(address, resource["values"], found[0] if found else None))
    return alarms


class Fleet:
    """A group of machines that follows its alarms."""

    def __init__(self, alarms, least, most, start=None):
        self.alarms, self.least, self.most = alarms, least, most
        self.desired = least if start is None else start
        self.minute = 0
        # Capacity after each minute, and which policies changed it.
        self.history, self.moves = [self.desired], []

    def step(self, visible, inflight=0, delayed=0, **more):
        """A minute passes in which the queue had these figures (None: CloudWatch has none)."""
        figures = {
            "ApproximateNumberOfMessagesVisible": visible,
            "ApproximateNumberOfMessagesNotVisible": inflight,
            "ApproximateNumberOfMessagesDelayed": delayed,
            "GroupDesiredCapacity": self.desired,
            **more,
        }
        asked = []
        for alarm in self.alarms:
            value = alarm.look(figures, self.minute)
            if alarm.policy and alarm.state == "ALARM" and value is not None:
                wanted = alarm.policy.wanted(value - alarm.values["threshold"], self.desired, self.minute)
                asked.append((min(self.most, max(self.least, wanted)), alarm))
        if asked:
            # Of several policies at once the largest capacity holds (EC2 Auto Scaling User Guide).
            capacity, alarm = max(asked, key=lambda found: found[0])
            if capacity != self.desired:
                alarm.policy.acted(capacity - self.desired, self.minute)
                self.moves.append((self.minute, self.desired, capacity))
                self.desired = capacity
        self.history.append(self.desired)
        self.minute += 1
        return self.desired
