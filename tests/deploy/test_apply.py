"""One apply against an emulator: everything can be made, a second plan changes nothing, and the real program works from its outputs."""

import json
import re
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from deployment import ROUTES
from program import Longbow
from stores import content

HERE = Path(__file__).resolve().parent


def test_everything_is_made(deployment):
    made = {re.sub(r"\[.*?\]", "", address) for address in deployment.resources()}
    for module in ("queue", "state", "parameters", "artifacts", "network", "iam", "workers", "scaling", "jobsender", "events", "observability"):
        assert any(address.startswith(f"module.{module}.") for address in made), module
    assert len(deployment.resources()) > 70
    # Notifications that a bucket has are never replaced, unless that was asked for.
    assert not deployment.resources("aws_s3_bucket_notification")


def test_a_second_plan_changes_nothing_but_what_the_emulator_omits(deployment):
    omitted = json.loads((HERE / "drift.json").read_text())["omitted"]
    for address, names in deployment.plan_again().items():
        allowed = omitted.get(re.sub(r"\[\"[^\"]*\"\]$", "", address), [])
        assert set(names) <= set(allowed), f"{address} would change in {names}"


def test_no_secret_is_in_the_state(deployment):
    text = json.dumps(deployment.state)
    assert "credentials_parameter" in text and "aws_secret_access_key" not in text
    for resource in deployment.resources("aws_ssm_parameter").values():
        assert resource["type"] == "String"


@pytest.fixture(scope="module")
def client(deployment):
    """Clients of the emulator."""

    def make(service, **more):
        return boto3.client(
            service, endpoint_url=deployment.emulator.url, region_name="us-east-1", aws_access_key_id="test",
            aws_secret_access_key="test", config=Config(s3={"addressing_style": "path"}), **more,
        )  # fmt: skip

    return make


@pytest.fixture(scope="module")
def settings(deployment, client):
    """The settings file of the machines, as Terraform stored it."""
    name = deployment.outputs["settings_parameter"]
    return client("ssm").get_parameter(Name=name)["Parameter"]["Value"]


@pytest.fixture
def fleet(deployment, client, settings, tmp_path):
    """The real program on a machine of this deployment."""
    longbow = Longbow(tmp_path / "home", "test", "test-secret-of-the-machines")
    longbow.environment |= {
        "AWS_ENDPOINT_URL": deployment.emulator.url,
        "LONGBOW_SOURCE__PATH_STYLE": "true",
        "LONGBOW_DESTINATION__PATH_STYLE": "true",
    }
    path = tmp_path / "longbow.toml"
    path.write_text(settings)
    longbow.config = ["--config", path]
    return longbow


def test_the_settings_of_the_machines_are_settings_of_the_program(deployment, fleet):
    run = fleet("settings", *fleet.config)
    for key, value in {
        "cluster.queue_url": deployment.outputs["queue_url"],
        "cluster.dead_letter_queue_url": deployment.outputs["dead_letters_url"],
        "cluster.table": deployment.outputs["table"],
        "cluster.routes_parameter": deployment.outputs["routes_parameter"],
        "cluster.auto_scaling_group": deployment.outputs["worker_group"],
        "cluster.lifecycle_hook": "longbow-drain",
        "worker.visibility": "180s",
    }.items():
        assert re.search(rf"{re.escape(key)}\s*=?\s*\"?{re.escape(value)}", run.out), (key, value, run.out)


def test_jobsender_and_workers_copy_from_what_was_made(deployment, client, fleet):
    s3 = client("s3")
    places = {"photos", "photos-copy", "papers", "papers-elsewhere", "logs", "logs-cn"}
    for bucket in sorted(places):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="papers", VersioningConfiguration={"Status": "Enabled"})
    stored = json.dumps({"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "of-another-partition", "region": "cn-northwest-1"})
    client("ssm").put_parameter(Name="/longbow/china", Value=stored, Type="SecureString")
    wanted = {}
    for name, prefix, bucket, below in (
        ("photos", "originals/", "photos-copy", "originals/"), ("papers", "", "papers-elsewhere", "in/"), ("logs", "2026/", "logs-cn", ""),
    ):  # fmt: skip
        for n in range(5):
            body = content(1000 + n, n)
            s3.put_object(Bucket=name, Key=f"{prefix}{n}", Body=body)
            wanted[bucket, f"{below}{n}"] = body
    s3.put_object(Bucket="papers", Key="left-out.tmp", Body=b"x")

    sent = fleet("jobsender", *fleet.config, "--json", "--quiet", timeout=120)
    assert sent.summary["exit"] == 0, str(sent)
    worked = fleet("worker", *fleet.config, "--json", "--exit-when-empty", timeout=240)
    assert worked.summary["copied"] == len(wanted), str(worked)
    for (bucket, key), body in wanted.items():
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body, (bucket, key)
    assert s3.get_object(Bucket="photos-copy", Key="originals/0")["StorageClass"] == ROUTES["photos"]["destination"]["storage_class"]
    found = client("sqs").get_queue_attributes(
        QueueUrl=deployment.outputs["queue_url"], AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]  # fmt: skip
    assert set(found.values()) == {"0"}
    # A second comparison finds nothing to do.
    again = fleet("jobsender", *fleet.config, "--json", "--quiet", timeout=120)
    assert again.summary["exit"] == 0, str(again)
