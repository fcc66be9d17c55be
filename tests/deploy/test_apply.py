"""One apply against an emulator: everything can be made, a second plan changes nothing, and the real program works from its outputs."""

import json
import re
import tomllib
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

import rights
from chaos import Proxy
from deployment import ROUTES, statements
from program import Longbow
from stores import MIB, content

HERE = Path(__file__).resolve().parent
KEYS = {"worker": "KEYOFTHEWORKER", "jobsender": "KEYOFTHEJOBSENDER"}


def test_everything_is_made(deployment):
    made = {re.sub(r"\[.*?\]", "", address) for address in deployment.resources()}
    for module in ("queue", "state", "parameters", "artifacts", "network", "iam", "workers", "scaling", "jobsender", "events", "observability"):
        assert any(address.startswith(f"module.{module}.") for address in made), module
    assert len(deployment.resources()) > 70
    # Notifications that a bucket has are never replaced, unless that was asked for.
    assert not deployment.resources("aws_s3_bucket_notification")
    policies = {name: queue["redrive_policy"] for name, queue in deployment.resources("aws_sqs_queue").items()}
    assert json.loads(policies["module.queue.aws_sqs_queue.jobs"])["maxReceiveCount"] == 24


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


@pytest.fixture(scope="module")
def proxy(deployment):
    """Sees what the programs ask AWS for."""
    proxy = Proxy(deployment.emulator.url)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def fleet(deployment, proxy, settings, tmp_path_factory):
    """The real programs on machines of this deployment: worker and jobsender, each with keys of its own."""
    folder = tmp_path_factory.mktemp("fleet")
    path = folder / "longbow.toml"
    path.write_text(settings)
    made = {}
    for kind, key in KEYS.items():
        made[kind] = Longbow(folder / kind, key, f"secret-of-the-{kind}")
        made[kind].environment |= {
            "AWS_ENDPOINT_URL": proxy.url,
            "LONGBOW_SOURCE__PATH_STYLE": "true",
            "LONGBOW_DESTINATION__PATH_STYLE": "true",
            "LONGBOW_SYNC__METHOD": "stream",
            "LONGBOW_WORKER__PART_SIZE": "5MiB",
            "LONGBOW_WORKER__WHOLE_UP_TO": "5MiB",
            # Others may listen there on this machine.
            "LONGBOW_METRICS__LISTEN": "",
        }
    config = ["--config", path]
    return lambda kind, *arguments, **options: made[kind](arguments[0], *config, *arguments[1:], **options)


def test_the_settings_of_the_machines_are_settings_of_the_program(deployment, fleet):
    found = tomllib.loads(fleet("worker", "settings").out)
    assert found["worker"]["visibility"] == "180s" and found["worker"]["memory"] == "1GiB"
    expected = {
        "queue_url": deployment.outputs["queue_url"], "dead_letter_queue_url": deployment.outputs["dead_letters_url"],
        "table": deployment.outputs["table"], "routes_parameter": deployment.outputs["routes_parameter"], "drain_within": "90s",
        "auto_scaling_group": deployment.outputs["worker_group"], "lifecycle_hook": "longbow-drain", "region": "us-east-1",
    }  # fmt: skip
    assert {name: found["cluster"][name] for name in expected} == expected
    [hook] = deployment.resources("aws_autoscaling_lifecycle_hook").values()
    assert (hook["name"], hook["autoscaling_group_name"]) == (expected["lifecycle_hook"], expected["auto_scaling_group"])
    assert hook["heartbeat_timeout"] > 90


@pytest.fixture(scope="module")
def worked(deployment, client, fleet):
    """A batch, compared and copied by the real programs: what is wanted where, and what they said."""
    s3 = client("s3")
    for bucket in ("photos", "photos-copy", "papers", "papers-elsewhere", "logs", "logs-cn"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="papers", VersioningConfiguration={"Status": "Enabled"})
    stored = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "of-another-partition", "region": "cn-northwest-1"}
    client("ssm").put_parameter(Name="/longbow/china", Value=json.dumps(stored), Type="SecureString")
    wanted = {}
    for name, prefix, bucket, below in (
        ("photos", "originals/", "photos-copy", "originals/"), ("papers", "", "papers-elsewhere", "in/"), ("logs", "2026/", "logs-cn", ""),
    ):  # fmt: skip
        for n in range(5):
            body = content(12 * MIB if n == 4 else 1000 + n, n)
            s3.put_object(Bucket=name, Key=f"{prefix}{n}", Body=body, Tagging="kind=test")
            wanted[bucket, f"{below}{n}"] = body
    s3.put_object(Bucket="papers", Key="left-out.tmp", Body=b"x")
    # Only the destination has it: the route carries removals on.
    s3.put_object(Bucket="photos-copy", Key="originals/gone", Body=b"x")
    # A trial message, as S3 sends it: the jobsender looks at it, and acknowledges it.
    trial = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"})
    client("sqs").send_message(QueueUrl=deployment.outputs["queue_url"], MessageBody=trial)
    sent = fleet("jobsender", "jobsender", "--json", "--quiet", timeout=120)
    assert sent.summary["exit"] == 0, str(sent)
    return wanted, fleet("worker", "worker", "--json", "--exit-when-empty", timeout=240)


def test_jobsender_and_workers_copy_from_what_was_made(deployment, client, fleet, worked):
    s3 = client("s3")
    wanted, run = worked
    assert run.summary["copied"] == len(wanted), str(run)
    for (bucket, key), body in wanted.items():
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body, (bucket, key)
        # The emulator keeps tags by account, and the other buckets were written by others.
        if bucket == "photos-copy":
            assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == [{"Key": "kind", "Value": "test"}], key
    assert len(s3.list_objects_v2(Bucket="photos-copy")["Contents"]) == 5
    assert s3.get_object(Bucket="photos-copy", Key="originals/0")["StorageClass"] == ROUTES["photos"]["destination"]["storage_class"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client("sqs").get_queue_attributes(QueueUrl=deployment.outputs["queue_url"], AttributeNames=names)["Attributes"]
    assert set(found.values()) == {"0"}
    # A second comparison finds nothing to do.
    again = fleet("jobsender", "jobsender", "--json", "--quiet", timeout=120)
    assert again.summary["exit"] == 0, str(again)


@pytest.mark.parametrize("kind", KEYS)
def test_what_the_programs_ask_for_is_what_their_roles_give(deployment, proxy, worked, kind):
    given = [s for name in (kind, f"{kind}_machine") for s in statements(deployment, f"aws_iam_role_policy.{name}")]
    asked = {pair for exchange in proxy.requests() if (rights.caller(exchange)[0] or "").startswith(KEYS[kind]) for pair in rights.needed(exchange)}
    # Whether tags were kept is asked of stores only that are not Amazon's, as this one.
    asked -= {pair for pair in asked if pair[0] == "s3:GetObjectTagging" and pair[1].startswith("arn:aws:s3:::photos-copy/")}
    refused = sorted(str(pair) for pair in asked if not rights.allows(given, *pair))
    assert not refused, f"{kind} would be refused: {refused}"
    actions = {action for action, _ in asked}
    least = {
        "worker": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "dynamodb:PutItem", "ssm:GetParameters", "sts:AssumeRole", "s3:GetObject",
                   "s3:PutObject", "s3:PutObjectTagging"},
        "jobsender": {"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "dynamodb:UpdateItem", "ssm:GetParameters", "s3:ListBucket", "s3:ListBucketVersions",
                      "s3:DeleteObject"},
    }  # fmt: skip
    assert least[kind] <= actions, least[kind] - actions


def test_events_of_a_bucket_arrive_by_the_rule(deployment, client):
    """EventBridge has to be switched on for the bucket, which its owner does and not Terraform."""
    s3, sqs = client("s3"), client("sqs")
    s3.put_bucket_notification_configuration(Bucket="photos", NotificationConfiguration={"EventBridgeConfiguration": {}})
    s3.put_object(Bucket="photos", Key="originals/new", Body=b"new")
    s3.put_object(Bucket="photos", Key="elsewhere/new", Body=b"new")
    taken = sqs.receive_message(QueueUrl=deployment.outputs["queue_url"], MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])
    keys = [json.loads(message["Body"])["detail"]["object"]["key"] for message in taken]
    assert keys == ["originals/new"]
