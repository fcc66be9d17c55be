"""`longbow demo`: the whole trip on this machine, without any account or server."""

import os


def test_the_demo_shows_resume_and_a_verification(longbow):
    run = longbow(
        "demo", timeout=60, env={"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_REGION": None}
    )
    assert run.seconds < 20, f"{run.seconds:.1f} s"
    said = run.out.lower()
    for word in ["resum", "verif", "longbow sync"]:
        assert word in said, f"{word} is not there:\n{run}"
    left = [name for name in os.listdir(longbow.home) if "demo" in name]
    assert not left, f"it left {left}"


def test_the_demo_twice_at_once(longbow, make_longbow):
    """It takes a free port and a folder of its own."""
    first, second = longbow.start("demo"), make_longbow("other").start("demo")
    assert longbow.judge(first.wait(), 0).code == longbow.judge(second.wait(), 0).code == 0
