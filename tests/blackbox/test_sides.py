"""Each side of a copy has its own endpoint, region, credentials and manners: seen in the requests that it gets."""

import pytest

import faults


@pytest.fixture
def sides(ministack, make_bucket, make_proxy):
    """A filled bucket and an empty one, and a proxy before each."""
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.fill({"a": b"a", "b/c": b"c"})
    return source, destination, make_proxy(ministack), make_proxy(ministack)


def signed_by(exchange):
    """Access key and region of a signature, or None."""
    header = exchange.headers.get("authorization")
    if header is None:
        return None
    scope = header.split("Credential=")[1].split(",")[0].split("/")
    return scope[0], scope[2]


def signers(proxy):
    """All who have signed what a proxy saw."""
    return {signed_by(exchange) for exchange in proxy.requests()}


def test_profiles_and_environment(sides, longbow):
    source, destination, reads, writes = sides
    config = longbow.home / ".aws"
    config.mkdir()
    (config / "config").write_text("[profile one]\nregion = us-east-1\n[profile two]\nregion = us-east-1\n")
    keys = "[one]\naws_access_key_id = AKIDONE\naws_secret_access_key = x\n"
    (config / "credentials").write_text(keys + keys.replace("one", "two").replace("AKIDONE", "AKIDTWO"))
    bare = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_REGION": None}
    places = source.at(via=reads), destination.at(via=writes)
    longbow.sync(*places, "--source-profile", "one", "--destination-profile", "two", env=bare)
    assert signers(reads) == {("AKIDONE", "us-east-1")} and signers(writes) == {("AKIDTWO", "us-east-1")}
    reads.calm(), writes.calm()
    own = {"LONGBOW_DESTINATION__ACCESS_KEY_ID": "AKIDOWN", "LONGBOW_DESTINATION__SECRET_ACCESS_KEY": "y"}
    longbow.sync(*places, env=own)
    assert {signer[0] for signer in signers(writes)} == {"AKIDOWN"}
    assert {signer[0] for signer in signers(reads)} == {longbow.environment["AWS_ACCESS_KEY_ID"]}


def test_a_wrong_region_is_told_with_the_right_one(sides, longbow):
    """The store answers with a redirect."""
    source, destination, reads, writes = sides
    run = longbow.sync(source.at(via=reads), destination.at(via=writes), "--source-region", "eu-one-1", expect=2)
    assert {signer[1] for signer in signers(reads)} == {"eu-one-1"}
    assert {signer[1] for signer in signers(writes)} <= {"us-east-1"}
    assert "us-east-1" in run.err and "region" in run.err
    assert destination.keys() == []


def test_an_unknown_profile_is_told(sides, longbow):
    source, destination, _, _ = sides
    bare = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    run = longbow.sync(source.at(), destination.at(), "--source-profile", "nobody", env=bare, expect=2)
    assert "nobody" in run.err


def test_one_endpoint_for_both_sides(sides, longbow):
    source, destination, proxy, _ = sides
    uris = f"s3://{source.name}", f"s3://{destination.name}"
    longbow("sync", *uris, "--endpoint-url", proxy.url)
    assert destination.keys() == source.keys()
    assert {exchange.bucket for exchange in proxy.requests()} == {source.name, destination.name}
    assert longbow("verify", *uris, "--endpoint-url", proxy.url, "--read").code == 0


def test_the_endpoint_of_the_aws_environment(sides, longbow):
    source, destination, proxy, _ = sides
    uris = f"s3://{source.name}", f"s3://{destination.name}"
    longbow("sync", *uris, env={"AWS_ENDPOINT_URL_S3": proxy.url})
    assert destination.keys() == source.keys() and proxy.requests()


def test_an_anonymous_source_is_read_unsigned(sides, longbow):
    source, destination, reads, writes = sides
    longbow.sync(source.at(via=reads), destination.at(via=writes), "--source-anonymous", expect=None)
    assert signers(reads) == {None}
    assert None not in signers(writes)


def test_requester_pays_and_bucket_owners(sides, longbow):
    source, destination, reads, writes = sides
    flags = ["--source-requester-pays", "--source-expected-bucket-owner", "111122223333",
             "--destination-expected-bucket-owner", "444455556666", "--method", "stream"]  # fmt: skip
    longbow.sync(source.at(via=reads), destination.at(via=writes), *flags)
    assert destination.keys() == source.keys()
    for exchange in reads.requests():
        assert exchange.headers.get("x-amz-request-payer") == "requester", str(exchange)
        assert exchange.headers.get("x-amz-expected-bucket-owner") == "111122223333", str(exchange)
    for exchange in writes.requests():
        assert exchange.headers.get("x-amz-expected-bucket-owner") == "444455556666", str(exchange)


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId", "RequestTimeTooSkewed"])
def test_what_is_wrong_with_the_credentials_is_told(sides, longbow, code):
    source, destination, reads, _ = sides
    destination.put("extra", b"e")
    reads.inject(faults.Refuse(403 if code != "ExpiredToken" else 400, code))
    run = longbow.sync(source.at(via=reads), destination.at(), "--delete", expect=2)
    assert code in run.err and destination.keys() == ["extra"], str(run)


def test_credentials_that_expire_in_mid_run_stop_it_soon(sides, longbow):
    """Object after object would fail in the same way."""
    source, destination, reads, _ = sides
    source.fill({f"k{i:03}": b"x" for i in range(200)})
    rule = reads.inject(faults.Refuse(400, "ExpiredToken"), "GetObject", skip=20)
    run = longbow.sync(source.at(via=reads), destination.at(), "--method", "stream", expect=None, timeout=100)
    assert run.code in (1, 2) and "ExpiredToken" in run.err + run.out, str(run)
    assert run.seconds < 60 and rule.hits < 3 * 200
    reads.calm()
    longbow.sync(source.at(via=reads), destination.at(), "--method", "stream")
    assert destination.keys() == source.keys()
