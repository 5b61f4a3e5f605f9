"""`stagehost smoke` against the deployed stack: it passes, leaves nothing behind, and each of its twelve expectations fails when it
is broken on purpose."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time

from ministack_server import REGION, ROOT
from server import equal, holds, until
from stack import liar
from stack.batches import transcoded

KINDS = {
    "end", "callback", "counts", "files", "tags", "trace", "failedJob", "killedHost", "deadLetters", "alarms", "metrics",
    "nothingLeft",
}
# What an emulator has not: `--emulator` leaves it out.
NOT_HERE = {"trace"}
# Listings of the command are times in milliseconds; those of other tests are small.
FIRST_LISTING = 10**12


def started(desk, *arguments, endpoint=None):
    """Starts the command with the stack's outputs."""
    outputs = [{"OutputKey": key, "OutputValue": value} for key, value in desk.aws.outputs.items()]
    variables = {name.upper(): value for name, value in ROOT.items()}
    process = subprocess.Popen(
        [desk.aws.stagehost, "--quiet", "smoke", "--json", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**variables, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": endpoint or desk.aws.endpoint, "PATH": os.environ["PATH"]})
    process.stdin.write(json.dumps({"Stacks": [{"Outputs": outputs}]}))
    process.stdin.close()
    process.stdin = None
    return process


def smoke(desk, *arguments, endpoint=None):
    """Runs the command. Returns its exit code and its document."""
    process = started(desk, *arguments, endpoint=endpoint)
    stdout, stderr = process.communicate()
    holds(stdout, f"a document; the command says {stderr}")
    return process.returncode, json.loads(stdout)


@contextlib.contextmanager
def transcoding(desk, without_frames="ERROR"):
    """Ends the command's jobs, as MediaConvert does. `without_frames` is how the job of the film without frames ends."""
    over = threading.Event()

    def work():
        while not over.wait(0.2):
            for job in list(desk.transcoder.jobs.values()):
                if job["status"] != "SUBMITTED" or int(job["userMetadata"]["listing"]) < FIRST_LISTING:
                    continue
                if job["settings"]["inputs"][0]["fileInput"].endswith("no-frames.mp4") and without_frames == "ERROR":
                    transcoded(desk, job, "ERROR", errorCode=1040, errorMessage="No frames could be decoded.")
                else:
                    transcoded(desk, job)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Deadly(dict):
    """The mood of a backend beside which the host is killed in the first call after a file appears."""

    def __init__(self, desk, armed):
        self.desk, self.armed = desk, armed

    def get(self, _listing, _default=None):
        return self.answer

    def answer(self, _attempt):
        with contextlib.suppress(FileNotFoundError):
            self.armed.unlink()
            self.desk.kill_the_function()
        return 200


class Refusing(dict):
    """The mood of a backend that refuses everything for good, whatever listing it is about."""

    def get(self, _listing, _default=None):
        return lambda _attempt: 422


@contextlib.contextmanager
def mood(desk, moods):
    before, desk.backend.moods = desk.backend.moods, moods
    try:
        yield
    finally:
        desk.backend.moods = before


def failed(document):
    return [f"{row['about']}: {row['expected']}: {row['found']}" for row in document["expectations"] if not row["passed"]]


def left(desk, document):
    """Returns what is left of the run in the bucket: keys and versions."""
    found = []
    for listing in range(document["listing"], document["listing"] + document["listings"]):
        listed = desk.aws.s3.list_object_versions(Bucket=desk.bucket, Prefix=f"{listing}/")
        found += [(it["Key"], it["VersionId"]) for it in listed.get("Versions", []) + listed.get("DeleteMarkers", [])]
    return found


def the_smoke_test_finds_everything_as_expected_and_leaves_nothing_behind(desk):
    armed = desk.aws.folder / "kill-the-host"
    receipts = {"Bucket": desk.bucket, "Prefix": "pipeline/receipts/"}
    before = desk.aws.s3.list_objects_v2(**receipts)["KeyCount"]
    with transcoding(desk), mood(desk, Deadly(desk, armed)):
        code, document = smoke(desk, "--emulator", "--patience", "120", "--kill-host", f"touch {armed}")
    equal((code, failed(document)), (0, []), "the exit code, and what is not as expected")
    equal({row["kind"] for row in document["expectations"]}, KINDS - NOT_HERE, "what it looked at")
    equal({row["about"] for row in document["expectations"]},
          {"all good", "one damaged", "none valid", "failed job", "killed host", "stopped", "unreadable", "alarms", "clean-up"},
          "the batches, and what else it looked at")
    equal(left(desk, document), [], "what is left in the bucket")
    equal(desk.aws.s3.list_objects_v2(**receipts)["KeyCount"], before, "receipts of films")


def each_of_the_twelve_expectations_fails_when_it_is_broken(desk):
    """Some are broken in the stack, the others by a door that tells the command something else about it."""
    silent = "stepfunctions-execution-failed-staging"
    desk.aws.alarms.disable_alarm_actions(AlarmNames=[silent])
    try:
        with transcoding(desk, without_frames="COMPLETE"):
            # Without --emulator: there is no trace here.
            code, document = smoke(desk, "--patience", "60", "--kill-host", "true",
                                   endpoint=liar.Liar(desk.aws.endpoint, *liar.ALL).url)
    finally:
        desk.aws.alarms.enable_alarm_actions(AlarmNames=[silent])
    rest = left(desk, document)
    for key, version in rest:
        desk.aws.s3.delete_object(Bucket=desk.bucket, Key=key, VersionId=version)
    equal((code, document["passed"]), (1, False), "the exit code")
    holds(rest, "nothing could be deleted")
    broken = {(row["kind"], row["about"]) for row in document["expectations"] if not row["passed"]}
    queued = ("all good", "one damaged", "none valid", "failed job")
    equal(broken, {
        ("end", "all good"), ("files", "all good"), ("counts", "one damaged"), ("tags", "one damaged"),
        ("metrics", "one damaged"), ("callback", "none valid"), ("counts", "failed job"), ("failedJob", "failed job"),
        ("killedHost", "killed host"), ("deadLetters", "stopped"), ("deadLetters", "unreadable"), ("alarms", "alarms"),
        ("nothingLeft", "clean-up"), *(("trace", about) for about in queued),
    }, f"what is not as expected: {failed(document)}")
    equal({kind for kind, _ in broken}, KINDS, "the twelve")


def the_smoke_test_fails_when_the_backend_takes_nothing(desk):
    with transcoding(desk), mood(desk, Refusing()):
        code, document = smoke(desk, "--emulator", "--patience", "120")
    equal(code, 1, "the exit code")
    told = [row["passed"] for row in document["expectations"] if row["kind"] == "callback"]
    equal(told, [False] * 4, f"callbacks that were taken: {failed(document)}")


def an_interrupted_smoke_test_leaves_nothing_behind(desk):
    before = time.time_ns() // 1_000_000

    def uploads():
        """Returns the keys of listings of the run."""
        pages = desk.aws.s3.get_paginator("list_object_versions").paginate(Bucket=desk.bucket, Prefix=str(before)[:4])
        keys = [it["Key"] for page in pages for it in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        return [key for key in keys if (number := key.split("/")[0]).isdigit() and int(number) >= before]

    process = started(desk, "--emulator", "--patience", "120")
    until("it has uploaded", uploads)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate()
    equal((process.returncode, stdout), (130, ""), f"the exit code and the output; it says {stderr}")
    holds("versions deleted" in stderr, f"what it did: {stderr}")
    # What it has sent to the queue begins and fails, because the files are gone.
    until("nothing is left", lambda: not uploads())


ALL = [
    the_smoke_test_finds_everything_as_expected_and_leaves_nothing_behind,
    each_of_the_twelve_expectations_fails_when_it_is_broken,
    the_smoke_test_fails_when_the_backend_takes_nothing,
    an_interrupted_smoke_test_leaves_nothing_behind,
]
