"""What the program lets out: nothing by plain http to other machines, no secret in figures or in what it keeps, no core dump."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from faults import Delay
from fleet import arguments, wait_for
from listener import free_port, get
from program import binary
from stores import content


@pytest.fixture
def store(seaweedfs):
    """The buckets' store."""
    return seaweedfs


ELSEWHERE = "http://store.invalid:9000"
ROLE = {"LONGBOW_SOURCE__ROLE_ARN": "arn:aws:iam::123456789012:role/reader"}
# Service → a command that asks it first, with what it needs.
SERVICES = {
    "S3": (["sync", "s3://aaa", "s3://bbb"], {}),
    "SQS": (["dlq", "list", "--queue-url", "jobs"], {}),
    "DYNAMODB": (["state", "create-table", "--table", "state"], {}),
    "SSM": (["settings", "--settings-parameter", "/longbow/settings"], {}),
    "STS": (["sync", "s3://aaa", "s3://bbb", "--endpoint-url", "https://127.0.0.1:9"], ROLE),
}


def refused(run, began):
    """It said how it would be allowed, at once, and that it is the machine elsewhere."""
    assert run.code in (1, 2) and "--allow-http" in run.err, str(run)
    assert "store.invalid" in run.err and time.monotonic() - began < 20, str(run)


@pytest.mark.parametrize("named", ["service", "all services", "profile", "service of a profile"])
@pytest.mark.parametrize("service", SERVICES)
def test_no_service_is_asked_by_plain_http_on_another_machine(longbow, service, named, tmp_path):
    """Whoever names the endpoint: the settings' own are refused before (test_cli.py, and `plain_http_leaves_this_machine_only_when_allowed`)."""
    command, environment = SERVICES[service]
    environment = dict(environment)
    if named == "service":
        environment[f"AWS_ENDPOINT_URL_{service}"] = ELSEWHERE
    elif named == "all services":
        environment["AWS_ENDPOINT_URL"] = ELSEWHERE
    else:
        own = f"endpoint_url = {ELSEWHERE}\n"
        services = f"services = ours\n[services ours]\n{service.lower()} =\n  {own}"
        config = tmp_path / "aws"
        config.write_text(f"[profile elsewhere]\nregion = eu-west-1\n{own if named == 'profile' else services}")
        environment |= {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "elsewhere"}
    began = time.monotonic()
    refused(longbow(*command, env=environment, expect=None), began)


def test_the_address_of_a_queue_is_an_endpoint_too(longbow):
    began = time.monotonic()
    refused(longbow("dlq", "list", "--queue-url", f"{ELSEWHERE}/000000000000/jobs", expect=None), began)


def test_what_is_allowed_is_asked(longbow):
    """The name cannot be resolved: it was tried."""
    env = {"AWS_ENDPOINT_URL_SQS": ELSEWHERE, "LONGBOW_NETWORK__ALLOW_HTTP": "true"}
    run = longbow("dlq", "list", "--queue-url", "jobs", env=env, expect=None)
    assert run.code in (1, 2) and "--allow-http" not in run.err, str(run)


def test_no_secret_is_in_figures_nor_in_what_is_kept(longbow, cluster, parameters, store, source, destination, make_proxy):
    """Keys of a parameter and of the environment, with everything logged: standard output with its figures for CloudWatch, the server on
    loopback, the table, the queues, and every file."""
    proxy = make_proxy(store)
    source.fill({f"{n}": content(200, n) for n in range(4)})
    stored = parameters(
        f'{{"aws_access_key_id": "{store.access_key}", "aws_secret_access_key": "{store.secret_key}", "region": "us-east-1"}}',
        "SecureString",
    )
    port, canary = free_port(), longbow.secrets[1]
    longbow.environment |= {
        "LONGBOW_LOG": "trace", "LONGBOW_METRICS__EMF": "true", "LONGBOW_METRICS__INTERVAL": "1s",
        "LONGBOW_CLUSTER__CREDENTIALS_PARAMETER": stored, "LONGBOW_CLUSTER__JOB_TYPE": "get",
    }  # fmt: skip
    longbow("jobsender", *arguments(longbow, source, destination, cluster))
    cluster.send('{"no": "job"}')
    proxy.inject(Delay(2.0), where=lambda exchange: exchange.method == "PUT")
    sides = longbow.sides(source.at(), destination.at(via=proxy))
    flags = [*sides, *cluster.flags, "--method", "stream", "--json"]
    worker = longbow.start("worker", *flags, env={"LONGBOW_METRICS__LISTEN": f"127.0.0.1:{port}"})
    wait_for(lambda: "longbow_objects_in_work{fleet=" in get(port, "/metrics")[1], "figures are told")
    told = [get(port, path)[1] for path in ("/metrics", "/healthz", "/readyz")]
    wait_for(lambda: cluster.depth() == (0, 0, 0), "all is done", 60)
    worker.process.terminate()
    run = longbow.judge(worker.wait(), 0)
    assert '"_aws"' in run.out and run.summary["copied"] == 4
    # Keys that are no good are told of in as many words as others.
    wrong = {"LONGBOW_SOURCE__ACCESS_KEY_ID": "AKID", "LONGBOW_SOURCE__SECRET_ACCESS_KEY": canary, "LONGBOW_SOURCE__SESSION_TOKEN": canary}
    source.put("later", b"later")
    longbow("jobsender", *arguments(longbow, source, destination, cluster), env=wrong, expect=None)
    kept = [str(cluster.items()), str(cluster.take(cluster.queue)), str(cluster.take(cluster.dead)), *told]
    assert '{"no": "job"}' in kept[2], "there is a letter"
    kept += [path.read_bytes().decode(errors="replace") for path in longbow.home.rglob("*") if path.is_file()]
    assert len(kept) > 8
    for text in kept:
        for secret in longbow.secrets:
            assert secret not in text, text[:2000]


@pytest.fixture
def unlimited():
    """Core dumps as large as they like for what is started here; skipped where this is not for us to say."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    if before[1] != resource.RLIM_INFINITY:
        pytest.skip("core dumps are limited here already")
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def dumped(process):
    """Ends a process as a crash does; whether the kernel wrote its memory down."""
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGABRT
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT
    return os.WCOREDUMP(status)


def test_a_crash_leaves_no_core_dump(longbow, cluster, source, destination, unlimited, tmp_path):  # noqa: F811
    sides = arguments(longbow, source, destination, cluster)
    here = tmp_path / "here"
    here.mkdir()
    worker = subprocess.Popen(
        [binary(), "worker", *map(str, sides)], env=longbow.environment, cwd=here, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        limits = f"/proc/{worker.pid}/limits"
        found = lambda: [line.split()[4:6] for line in open(limits) if line.startswith("Max core file size")]  # noqa: E731
        wait_for(lambda: found() == [["1", "1"]], "the limit is there")
        assert not dumped(worker)
    finally:
        worker.kill()
        worker.stdout.close()
    assert not list(here.iterdir()), "nothing was written"
    # The same end of another program, to see that there would have been one.
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=here)
    if not dumped(other):
        pytest.skip("the system writes no core dumps: only the limit was seen")
