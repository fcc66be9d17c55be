"""deploy/README.md: what it computes from its prices, and the alarms that it says what to do about."""

import ast
import operator
import re

import pytest

from terraform import ROOT

TEXT = (ROOT / "deploy" / "README.md").read_text()
PRICES = {name: float(value) for name, value in re.findall(r"^\| `(\w+)`: .* \| ([\d.]+) \|$", TEXT, re.M)}
SUMS = re.findall(r"^\| ([^|`]+) \| ([^|]*(?:×|\+)[^|]*) \| ([\d.]+) \|$", TEXT, re.M)
DOES = {ast.Add: operator.add, ast.Mult: operator.mul}


def computed(node):
    """A sum of products of prices."""
    if isinstance(node, ast.BinOp):
        return DOES[type(node.op)](computed(node.left), computed(node.right))
    return PRICES[node.id] if isinstance(node, ast.Name) else node.value


@pytest.mark.no_terraform
def test_costs_follow_from_the_prices():
    assert len(SUMS) >= 7
    for what, how, cost in SUMS:
        value = computed(ast.parse(how.replace("×", "*").strip(), mode="eval").body)
        assert abs(value - float(cost)) <= 0.006, f"{what}: {value:.3f}, not {cost}"


def test_alarms_cost_what_is_said(deployment):
    alarms = deployment.resources("aws_cloudwatch_metric_alarm").values()
    read = sum(1 if a["metric_name"] else sum(1 for q in a["metric_query"] if q["metric"]) for a in alarms)
    assert f"{read} × alarm" in TEXT, read


def test_every_alarm_is_in_the_runbook(deployment):
    for alarm in deployment.resources("aws_cloudwatch_metric_alarm").values():
        assert f"`{alarm['alarm_name'].removeprefix('longbow-')}`" in TEXT, alarm["alarm_name"]


@pytest.mark.no_terraform
def test_every_file_that_is_linked_is_there():
    for path in (ROOT / "deploy/README.md", ROOT / "docs/METRICS.md", ROOT / "docs/PERMISSIONS.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / link).exists(), (path.name, link)
