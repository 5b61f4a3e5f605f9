"""Clients of the server under test, and assertions."""

import json
import time
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# Much longer than anything here takes: it only ends a hang.
PATIENCE_S = 600
DONE = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
RUN = uuid.uuid4().hex[:8]


def equal(seen, expected, what):
    if seen != expected:
        raise AssertionError(f"{what}:\n  expected {expected!r}\n  seen     {seen!r}")


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


def refused(code, call, **arguments):
    """Asserts that a call fails with AWS's error of this name. Returns the error."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        equal(error.response["Error"]["Code"], code, f"the refusal {error}")
        return error
    raise AssertionError(f"expected {code}, but the call succeeded: {answer}")


def until(what, look):
    """Calls `look` until it returns something true. Returns that."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what}: nothing after {PATIENCE_S} s")


class Server:
    """The clients and addresses of one server."""

    def __init__(self, facts):
        self.endpoint = facts["endpoint"]
        self.function = facts["functionArn"]
        self.machine = facts["stateMachineArn"]
        self.bucket = facts["bucket"]
        self.session = boto3.Session(
            aws_access_key_id=facts["accessKeyId"],
            aws_secret_access_key=facts["secretAccessKey"],
            region_name=facts["region"],
        )
        self.s3 = self.client("s3", s3={"addressing_style": "path"})
        self.sfn = self.client("stepfunctions")
        self.functions = self.client("lambda")
        self.mediaconvert = self.client("mediaconvert")

    def client(self, service, **settings):
        # No retries: a second try would hide that the first one failed.
        config = Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE_S, **settings)
        return self.session.client(service, endpoint_url=self.endpoint, config=config)

    def finished(self, arn):
        """Waits for the end of an execution. Returns its description."""
        return until(
            f"the end of {arn}",
            lambda: (seen := self.sfn.describe_execution(executionArn=arn))["status"] in DONE and seen,
        )

    def history(self, arn):
        """Returns all events, read in small pages, and checks their numbering."""
        pages = self.sfn.get_paginator("get_execution_history").paginate(
            executionArn=arn, PaginationConfig={"PageSize": 25}
        )
        events = [event for page in pages for event in page["events"]]
        equal([event["id"] for event in events], list(range(1, len(events) + 1)), "the ids of the events")
        for event in events:
            holds(event.get("previousEventId", 0) < event["id"], f"an event follows itself: {event}")
        return events

    def create_machine(self, name, definition):
        answer = self.sfn.create_state_machine(
            name=f"{name}-{RUN}",
            definition=json.dumps(definition),
            roleArn="arn:aws:iam::000000000000:role/any",
        )
        return answer["stateMachineArn"]
