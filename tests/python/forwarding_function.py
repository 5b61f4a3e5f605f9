#!/usr/bin/env python3
"""A `bootstrap` that forwards every event to the Invoke API at FORWARD_TO and returns its answer.

With it, a Lambda that runs functions as processes calls the function of a test. It uses the standard library only.
"""

import http.client
import json
import os


def call(address, method, path, body=None, headers=()):
    connection = http.client.HTTPConnection(address)
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    return answer, answer.read()


def main():
    runtime, other = os.environ["AWS_LAMBDA_RUNTIME_API"], os.environ["FORWARD_TO"]
    base = "/2018-06-01/runtime/invocation"
    while True:
        event, payload = call(runtime, "GET", f"{base}/next")
        here = f"{base}/{event.headers['lambda-runtime-aws-request-id']}"
        answer, body = call(other, "POST", "/2015-03-31/functions/forwarded/invocations", payload)
        if answer.headers.get("X-Amz-Function-Error"):
            name = json.loads(body)["errorType"]
            call(runtime, "POST", f"{here}/error", body, {"Lambda-Runtime-Function-Error-Type": name})
        else:
            call(runtime, "POST", f"{here}/response", body)


main()
