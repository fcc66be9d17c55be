"""Dashboard and alarms against docs/METRICS.md: the names that the program has to tell, and nobody else's."""

import json
import re

from terraform import ROOT

TEXT = (ROOT / "docs" / "METRICS.md").read_text()
DOCUMENTED = set(re.findall(r"`([A-Z]\w+)`", "\n".join(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", TEXT, re.M))))
MACHINE = set(re.findall(r"`((?:cpu|mem|disk|net|netstat)_\w+)`", TEXT))
AWS = {"AWS/SQS", "AWS/AutoScaling", "AWS/EC2"}


def in_widgets(body):
    """(namespace, name) of every metric that a dashboard shows."""
    found = set()
    for widget in json.loads(body)["widgets"]:
        for metric in widget["properties"]["metrics"]:
            if isinstance(metric[0], str):
                found.add((metric[0], metric[1]))
            else:
                expression = metric[0]["expression"]
                for space, name in re.findall(r"\{([\w/]+),[\w,]+\} MetricName=\"(\w+)\"", expression):
                    found.add((space, name))
    return found


def in_alarms(resources):
    """The same for alarms."""
    found = set()
    for alarm in resources.values():
        if alarm["metric_name"]:
            found.add((alarm["namespace"], alarm["metric_name"]))
        for query in alarm["metric_query"]:
            found |= {(metric["namespace"], metric["metric_name"]) for metric in query["metric"]}
    return found


def test_dashboard_and_alarms_use_documented_metrics_only(deployment):
    [board] = deployment.resources("aws_cloudwatch_dashboard").values()
    shown, watched = in_widgets(board["dashboard_body"]), in_alarms(deployment.resources("aws_cloudwatch_metric_alarm"))
    for space, name in shown | watched:
        known = {"Longbow": DOCUMENTED, "longbow/machine": MACHINE}.get(space)
        assert known is None and space in AWS or name in known, (space, name)
    # A metric that the alarms rest on was never renamed by itself.
    assert {"ObjectsFailed", "Errors", "RunFailed", "WorkersAlive"} <= {name for space, name in watched if space == "Longbow"}
    assert MACHINE == {name for space, name in shown if space == "longbow/machine"}


def test_the_agent_tells_what_the_dashboard_shows(deployment):
    import base64

    script = deployment.outputs["boot_scripts"]["worker"]
    [content] = re.findall(r"write '/etc/longbow/agent.json' 0644 '([^']+)'", script)
    metrics = json.loads(base64.b64decode(content))["metrics"]
    told = {f"{group}_{name}" for group, what in metrics["metrics_collected"].items() for name in what["measurement"]}
    assert told == MACHINE
    assert metrics["namespace"] == "longbow/machine" and metrics["aggregation_dimensions"] == [["Fleet", "Kind"]]


def test_the_widgets_of_longbow_are_there(deployment):
    [board] = deployment.resources("aws_cloudwatch_dashboard").values()
    titles = [widget["properties"]["title"].lower() for widget in json.loads(board["dashboard_body"])["widgets"]]
    for wanted in ("traffic", "errors", "jobs", "running, waiting", "tcp", "cpu and memory", "capacity", "network", "left to do",
                   "time left", "oldest job", "failures by cause"):  # fmt: skip
        assert any(wanted in title for title in titles), wanted
