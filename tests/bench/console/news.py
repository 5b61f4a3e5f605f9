#!/usr/bin/env python3
"""Measures how long an event of a batch takes to reach an open page: `stagehost serve`, and batches of one photo.

    tests/bench/console/news.py [--stagehost FILE] [--stages DIR] [--batches 20]

For each batch, the page's server-sent events are read as the page's script reads them, and after each the page itself is loaded.
Prints, in milliseconds, median and 95th percentile of two times over all events of all histories: from the event to the stream's
next event, and to the last byte of the page that is loaded then.
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from batches import percentile, started

CHECKOUT = Path(__file__).resolve().parents[3]
PHOTO = CHECKOUT / "samples/listing/kitchen.jpg"
ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")


def asked(host, method, path, body=None, headers=None):
    """One request on a connection of its own. Returns the body of the answer."""
    connection = http.client.HTTPConnection(host, timeout=300)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status >= 300:
        sys.exit(f"{method} {path}: {answer.status} {text.decode(errors='replace')[:400]}")
    return text


def history(host, arn):
    """The events of an execution: type and time."""
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AWSStepFunctions.GetExecutionHistory"}
    request = json.dumps({"executionArn": arn, "maxResults": 1000, "includeExecutionData": False})
    events = json.loads(asked(host, "POST", "/", request, headers))["events"]
    return [(event["type"], event["timestamp"]) for event in events]


class Stream:
    """The server-sent events of a page."""

    def __init__(self, host, path):
        self.connection = http.client.HTTPConnection(host, timeout=300)
        self.connection.request("GET", path)
        self.answer = self.connection.getresponse()

    def next(self):
        """Waits for the next event. Returns its name and the time."""
        while True:
            line = self.answer.readline()
            if not line:
                sys.exit("the stream has ended")
            if line.startswith(b"event: "):
                return line[7:].strip().decode(), time.time()


def watched(host, bucket, number):
    """Runs a batch. Returns for each event its time to the stream and to the page, in milliseconds."""
    listing = 7000 + number
    key = f"{listing}/raw/photo/horizontal/2026-01-02/kitchen.jpg"
    asked(host, "PUT", f"/{bucket}/{key}", PHOTO.read_bytes(), {"content-type": "image/jpeg"})
    batch = json.dumps({"jobId": 1, "batchId": 1, "assets": [key]})
    # The name of the execution follows from the job, so its page can be opened before there is one.
    name = f"listing-{listing}_batch-1_job-1_retry-0"
    stream = Stream(host, f"/console/live/{name}")
    arn = json.loads(asked(host, "POST", f"/api/v1/listings/{listing}/media/batch", batch))["executionArn"]
    told, events = [], [("", float("inf"))]
    while not told or events[-1][0] not in ENDS or told[-1][0] < events[-1][1]:
        _, arrived = stream.next()
        asked(host, "GET", f"/console/batch/{name}")
        told.append((arrived, time.time()))
        events = history(host, arn)
    stream.connection.close()
    if events[-1][0] != "ExecutionSucceeded":
        sys.exit(f"{name} ended with {events[-1][0]}")
    times = []
    for _, at in events:
        arrived, shown = next(pair for pair in told if pair[0] >= at)
        times.append(((arrived - at) * 1e3, (shown - at) * 1e3))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stagehost", default=str(CHECKOUT / "target/release/stagehost"))
    parser.add_argument("--stages", help="a folder of built stages, instead of those that serve builds")
    parser.add_argument("--batches", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.stagehost, "serve", "--port", "0", "--json", "--out", f"{folder}/out"]
        command += ["--stages", arguments.stages] if arguments.stages else []
        serve, facts = started(command)
        try:
            host = urlsplit(facts["endpoint"]).netloc
            watched(host, facts["bucket"], 0)
            times = [pair for number in range(arguments.batches) for pair in watched(host, facts["bucket"], number + 1)]
            print(f"{len(times)} events of {arguments.batches} batches, in milliseconds")
            print(f"{'':24}{'p50':>8}{'p95':>8}{'longest':>8}")
            for name, of in [("to the stream", 0), ("on the page", 1)]:
                numbers = [pair[of] for pair in times]
                print(f"{name:24}{percentile(numbers, 50):8.1f}{percentile(numbers, 95):8.1f}{max(numbers):8.1f}")
        finally:
            serve.terminate()
            serve.wait()


if __name__ == "__main__":
    main()
