"""docs/PERMISSIONS.md against the policies that were made, both ways; and that no policy gives more than it names."""

import json
import re

import pytest

import rights
from deployment import KEY, OTHER_ROLE, statements
from terraform import ROOT

QUEUES = {"longbow-jobs": "queue of jobs", "longbow-dead-letters": "dead letters"}
SECTIONS = {
    "Workers": ["aws_iam_role_policy.worker"],
    "Jobsender": ["aws_iam_role_policy.jobsender"],
    "The machines": ["aws_iam_role_policy.worker_machine", "aws_iam_role_policy.jobsender_machine"],
    "Scheduler": ["aws_iam_role_policy.scheduler"],
    "Operators": ["aws_iam_policy.operator"],
}
# Actions of routes that the deployment of the tests does not have: keys of destinations.
OTHERWISE = {"kms:GenerateDataKey"}


def documented():
    """Section → actions."""
    return {section: set(actions) for section, actions in rights.documented().items()}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_action_has_its_reason_and_every_reason_its_action(deployment, section):
    for policy in SECTIONS[section]:
        given = {action for s in statements(deployment, policy) for action in s["Action"]}
        wanted = documented()[section]
        assert given <= wanted, f"without a reason: {given - wanted}"
        missing = wanted - given - OTHERWISE
        if policy == "aws_iam_role_policy.jobsender":
            # No key of a stored parameter is named in this deployment.
            missing -= {"kms:Decrypt"}
        assert not missing, f"not given: {missing}"


@pytest.mark.parametrize("policy", [policy for policies in SECTIONS.values() for policy in policies])
def test_no_policy_gives_more_than_it_names(deployment, policy):
    for statement in statements(deployment, policy):
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            assert "*" not in action, action
        if "*" in statement["Resource"]:
            assert statement["Sid"] in ("TellFiguresOfTheMachine", "SessionManager"), statement
        for resource in statement["Resource"]:
            # Of an Auto Scaling group's ARN, one part is AWS's own; objects end in a star.
            stars = resource.replace(":autoScalingGroup:*:", ":").rstrip("*").count("*")
            assert resource == "*" or stars == 0, resource


@pytest.mark.parametrize("section", ["Workers", "Jobsender", "Operators"])
def test_queues_are_those_that_the_document_names(deployment, section):
    """To which queue a right is given, both ways: what commands ask of which is checked against the document (test_rights.py)."""
    [policy] = SECTIONS[section]
    given = {}
    for statement in statements(deployment, policy):
        for action in (a for a in statement["Action"] if a.startswith("sqs:")):
            given.setdefault(action, set()).update(QUEUES[arn.rsplit(":", 1)[1]] for arn in statement["Resource"])
    words = {action: on for action, on in rights.documented()[section].items() if action.startswith("sqs:")}
    assert given.keys() == words.keys()
    for action, things in given.items():
        assert things == {thing for thing in QUEUES.values() if rights.within(words[action], thing)}, action


@pytest.mark.no_terraform
def test_keys_of_kms_are_used_only_by_services_that_are_named():
    """In every statement of a role that has a right on keys; the deployment of the tests has one of them."""
    blocks = []
    for path in (ROOT / "deploy").rglob("*.tf"):
        for block in re.split(r"\n    content \{|\n  statement \{", path.read_text())[1:]:
            body = re.split(r"\n    \}\n  \}|\n  \}\n", block)[0]
            if re.search(r'actions\s*=.*"kms:', body):
                blocks.append((path.parent.name, body))
    assert len(blocks) >= 4, "the statements are found"
    for module, body in blocks:
        assert re.search(r'variable = "kms:ViaService"\s+values\s+= \[.*\.\*\.amazonaws\.com\*"\]', body), f"{module}:{body}"


def test_the_key_of_a_source_is_used_through_s3_only(deployment):
    [found] = [s for s in statements(deployment, "aws_iam_role_policy.worker") if s["Sid"] == "ReadEncrypted"]
    assert found["Condition"] == {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com*"}}
    jobsender = statements(deployment, "aws_iam_role_policy.jobsender")
    assert not [s for s in jobsender if any(a.startswith("kms:") for a in s["Action"])], "it reads no object"


def test_rights_follow_the_routes(deployment):
    worker = {s["Sid"]: s for s in statements(deployment, "aws_iam_role_policy.worker")}
    jobsender = {s["Sid"]: s for s in statements(deployment, "aws_iam_role_policy.jobsender")}
    s3 = "arn:aws:s3:::"
    # Only what lies below a prefix; the sides of other accounts not at all.
    assert set(worker["ReadSources"]["Resource"]) == {f"{s3}photos/originals/*", f"{s3}papers/*", f"{s3}logs/2026/*"}
    assert worker["WriteDestinations"]["Resource"] == [f"{s3}photos-copy/originals/*"]
    assert worker["RemoveFromDestinations"]["Resource"] == [f"{s3}photos-copy/originals/*"]
    assert worker["ReadEncrypted"]["Resource"] == [KEY] and "WriteEncrypted" not in worker
    assert jobsender["ListVersions"]["Resource"] == [f"{s3}papers"]
    for role in (worker, jobsender):
        assert role["TakeOnRolesOfOtherAccounts"]["Resource"] == [OTHER_ROLE]
        assert any(arn.endswith(":parameter/longbow/china") for arn in role["ReadParameters"]["Resource"])
    # A jobsender only looks at the queue of jobs, and a worker sends none.
    assert [arn.rsplit(":", 1)[1] for arn in jobsender["LookAtTheQueue"]["Resource"]] == ["longbow-jobs"]
    assert worker["PutAside"]["Resource"][0].endswith("-dead-letters") and "sqs:SendMessage" not in worker["TakeJobs"]["Action"]


def test_queues_let_in_named_senders_by_tls_only(deployment):
    policies = deployment.resources("aws_sqs_queue_policy")
    for address, sender in (("jobs", "longbow-jobsender"), ("dead_letters", "longbow-worker")):
        found = {s["Sid"]: s for s in json.loads(policies[f"module.queue.aws_sqs_queue_policy.{address}"]["policy"])["Statement"]}
        assert found["OnlyTls"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        senders = found["OnlyNamedSenders"]["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
        assert senders == f"arn:aws:iam::123456789012:role/{sender}"
        allowed = [s for s in found.values() if s["Effect"] == "Allow"]
        assert all(s["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"} for s in allowed)
        # Events come into the queue, and those that cannot to the dead letters.
        assert [s["Sid"] for s in allowed] == ["EventsByRule"]
