#!/usr/bin/env python3
"""Measures the list of batches: 1,000 executions on this machine, and a page that is asked for 200 times, one after the other.

    tests/bench/console/batches.py [--stagehost FILE] [--stages DIR] [--executions 1000] [--rounds 200]

`stagehost serve` runs the executions: a machine of one Pass state that ends with the document of a finished batch of eight
files, so that each row has a listing, files and failures. `stagehost console` shows them, by the AWS SDK, as it shows a deployed
stack. Prints, in milliseconds, the first answer of each page, and the median and the 95th percentile of the others. Nothing is
remembered before the first page; each later page finds what the earlier ones have read. A time is from the request to the last byte
of the page, over one connection.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

CHECKOUT = Path(__file__).resolve().parents[3]
FILES = 8
ROLE = "arn:aws:iam::000000000000:role/bench"


def started(command, environment=None):
    """Starts a command that prints one JSON line when it is ready. Returns the process and the line."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = process.stdout.readline()
    if not line:
        sys.exit(f"{' '.join(command)} ended with {process.wait()}")
    return process, json.loads(line)


class States:
    """Step Functions of `stagehost serve`."""

    def __init__(self, endpoint):
        self.connection = http.client.HTTPConnection(urlsplit(endpoint).netloc)

    def call(self, operation, request):
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AWSStepFunctions.{operation}"}
        self.connection.request("POST", "/", json.dumps(request), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            sys.exit(f"{operation}: {answer.status} {text.decode()}")
        return json.loads(text)


def batch(number):
    """Input and output of an execution."""
    listing = 1000 + number // 7
    keys = [f"{listing}/raw/photo/horizontal/2026-01-02/room-{number}-{file}.jpg" for file in range(FILES)]
    given = {"listingId": listing, "batchId": number, "jobId": number, "retry": 0, "assets": keys}
    counts = {"assets": FILES, "valid": FILES - number % 3, "failed": number % 3, "videos": 0, "problems": 0}
    return given, {"listingId": listing, "batchId": number, "jobId": number, "counts": counts}


def seeded(states, executions):
    """Runs executions of a machine that does nothing. Returns its ARN."""
    definition = {"StartAt": "Made", "States": {"Made": {"Type": "Pass", "OutputPath": "$.result", "End": True}}}
    machine = states.call(
        "CreateStateMachine", {"name": "bench-console", "definition": json.dumps(definition), "roleArn": ROLE}
    )["stateMachineArn"]
    for number in range(executions):
        given, made = batch(number)
        request = {"stateMachineArn": machine, "name": f"listing-{given['listingId']}_batch-{number}"}
        states.call("StartExecution", {**request, "input": json.dumps({**given, "result": made})})
    left = time.monotonic() + 60
    while states.call("ListExecutions", {"stateMachineArn": machine, "statusFilter": "RUNNING"})["executions"]:
        if time.monotonic() > left:
            sys.exit("the executions do not end")
        time.sleep(0.05)
    return machine


def asked(url, path, rounds, rows):
    """Asks for a page. Returns the times in milliseconds. Every page must have the rows."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        page = answer.read()
        times.append((time.perf_counter() - began) * 1e3)
        found = page.count(b'class="badge ok"')
        if answer.status != 200 or found != rows:
            sys.exit(f"{path}: {answer.status} with {found} rows instead of {rows}")
    return times


def percentile(times, percent):
    """The nearest rank."""
    times = sorted(times)
    return times[max(0, -(-len(times) * percent // 100) - 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stagehost", default=str(CHECKOUT / "target/release/stagehost"))
    parser.add_argument("--stages", help="a folder of built stages, instead of those that serve builds")
    parser.add_argument("--executions", type=int, default=1000, help="at most 1,000, which is what serve keeps")
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    executions = min(arguments.executions, 1000)
    environment = {**os.environ, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.stagehost, "serve", "--port", "0", "--json", "--out", f"{folder}/out"]
        command += ["--stages", arguments.stages] if arguments.stages else []
        serve, facts = started(command, environment)
        try:
            machine = seeded(States(facts["endpoint"]), executions)
            environment["AWS_ENDPOINT_URL"] = facts["endpoint"]
            command = [arguments.stagehost, "console", "--state-machine-arn", machine, "--bucket", facts["bucket"]]
            console, shown = started([*command, "--port", "0", "--json"], environment)
            try:
                print(f"{executions} executions, {arguments.rounds} answers of each page, in milliseconds")
                print(f"{'':24}{'first':>8}{'p50':>8}{'p95':>8}{'longest':>8}")
                for name, path, rows in [
                    ("the newest 50", "/console", min(50, executions)),
                    ("all on one page", "/console?rows=1000", executions),
                    ("a search in all", "/console?q=room-7-", 1),
                ]:
                    times = asked(shown["url"], path, arguments.rounds + 1, rows)
                    first, rest = times[0], times[1:]
                    numbers = [first, percentile(rest, 50), percentile(rest, 95), max(rest)]
                    print(f"{name:24}" + "".join(f"{number:8.1f}" for number in numbers))
            finally:
                console.terminate()
                console.wait()
        finally:
            serve.terminate()
            serve.wait()


if __name__ == "__main__":
    main()
