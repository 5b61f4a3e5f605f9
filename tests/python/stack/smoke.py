"""`stagehost smoke` against the deployed stack: it passes, leaves nothing behind, and fails when the backend takes nothing."""

import json
import os
import subprocess

from ministack_server import REGION, ROOT
from server import equal, holds


def smoke(desk, patience):
    """Runs the command with the stack's outputs. Returns its exit code and its document."""
    outputs = [{"OutputKey": key, "OutputValue": value} for key, value in desk.aws.outputs.items()]
    variables = {name.upper(): value for name, value in ROOT.items()}
    ran = subprocess.run(
        [desk.aws.stagehost, "--quiet", "smoke", "--json", "--without-trace", "--patience", str(patience)],
        input=json.dumps({"Stacks": [{"Outputs": outputs}]}), capture_output=True, text=True,
        env={**variables, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": desk.aws.endpoint, "PATH": os.environ["PATH"]})
    holds(ran.stdout, f"a document; the command says {ran.stderr}")
    return ran.returncode, json.loads(ran.stdout)


def failed(document):
    return [f"{row['about']}: {row['expected']}: {row['found']}" for row in document["expectations"] if not row["passed"]]


def the_smoke_test_finds_everything_as_expected_and_leaves_nothing_behind(desk):
    code, document = smoke(desk, 120)
    equal((code, failed(document)), (0, []), "the exit code, and what is not as expected")
    about = {row["about"] for row in document["expectations"]}
    equal(about, {"all good", "one damaged", "none valid", "stopped", "unreadable", "clean-up"}, "what it looked at")
    for listing in range(document["listing"], document["listing"] + 4):
        left = desk.aws.s3.list_object_versions(Bucket=desk.bucket, Prefix=f"{listing}/")
        equal(left.get("Versions", []) + left.get("DeleteMarkers", []), [], "what is left in the bucket")


class Refusing(dict):
    """The mood of a backend that refuses everything for good, whatever listing it is about."""

    def get(self, _listing, _default=None):
        return lambda _attempt: 422


def the_smoke_test_fails_when_the_backend_takes_nothing(desk):
    moods, desk.backend.moods = desk.backend.moods, Refusing()
    try:
        code, document = smoke(desk, 120)
    finally:
        desk.backend.moods = moods
    equal(code, 1, "the exit code")
    told = [row["passed"] for row in document["expectations"] if row["expected"] == "the backend took the callback"]
    equal(told, [False] * 3, f"callbacks that were taken: {failed(document)}")


ALL = [
    the_smoke_test_finds_everything_as_expected_and_leaves_nothing_behind,
    the_smoke_test_fails_when_the_backend_takes_nothing,
]
