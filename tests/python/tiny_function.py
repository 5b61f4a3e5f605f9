"""The smallest function that speaks Lambda's Runtime API: it does what its payload says.

It tests the emulated API of `tests/src/runtime_api.rs` without this project's own binary. It does hardly any work, so it
also shows what the emulation itself costs.

    {"do": "echo"}     answers with the payload, the headers of the invocation, and the names of its variables
    {"do": "fail"}     reports the error Tiny.Failed
    {"do": "say"}      writes a line to standard output and one to standard error
    {"do": "nothing"}  sleeps for a number of seconds
    {"do": "exit"}     ends with exit code 7 instead of answering
    {"do": "leak"}     opens a file and keeps it
    {"do": "grow"}     keeps a number of bytes of memory
    {"do": "large"}    answers with a number of bytes
    {"do": "twice"}    answers, and then once more under the same request id
"""

import json
import os
import signal
import socket
import sys
import time

BASE = "/2018-06-01/runtime"


class Api:
    """One connection, kept alive; http.client would take ten times as long."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def call(self, method, path, body=b"", headers=""):
        head = f"{method} {BASE}{path} HTTP/1.1\r\nHost: api\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.socket.sendall(head.encode() + body)
        while b"\r\n\r\n" not in self.buffer:
            self.receive()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(fields.get("content-length", 0))
        while len(self.buffer) < length:
            self.receive()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return int(status.split()[1]), fields, body

    def receive(self):
        data = self.socket.recv(1 << 16)
        if not data:
            sys.exit("the Runtime API is gone")
        self.buffer += data


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
    if "FAIL_INIT" in os.environ:
        error = json.dumps({"errorType": "Tiny.Init", "errorMessage": "told to"}).encode()
        api.call("POST", "/init/error", error, "Lambda-Runtime-Function-Error-Type: Tiny.Init\r\n")
        sys.exit(1)
    kept = []
    while True:
        _, headers, payload = api.call("GET", "/invocation/next")
        here = f"/invocation/{headers['lambda-runtime-aws-request-id']}"
        try:
            event = json.loads(payload)
        except ValueError as error:
            report = json.dumps({"errorType": "Tiny.NotJson", "errorMessage": str(error)})
            api.call("POST", f"{here}/error", report.encode())
            continue
        answer = payload
        match event.get("do"):
            case "echo":
                answer = json.dumps({"event": event, "headers": headers, "variables": sorted(os.environ)}).encode()
            case "fail":
                report = json.dumps({"errorType": "Tiny.Failed", "errorMessage": "told to"})
                api.call("POST", f"{here}/error", report.encode(), "Lambda-Runtime-Function-Error-Type: Other\r\n")
                continue
            case "say":
                print("said on standard output", flush=True)
                print("said on standard error", file=sys.stderr, flush=True)
            case "nothing":
                time.sleep(event["seconds"])
            case "exit":
                print("about to end", file=sys.stderr, flush=True)
                sys.exit(7)
            case "leak":
                kept.append(open("/dev/null"))
            case "grow":
                kept.append(os.urandom(event["bytes"]))
            case "large":
                answer = b'"' + b"x" * (event["bytes"] - 2) + b'"'
            case "twice":
                api.call("POST", f"{here}/response", b"1")
                status, _, body = api.call("POST", f"{here}/response", b"2")
                print(f"second answer: {status} {body.decode()}", flush=True)
                continue
        api.call("POST", f"{here}/response", answer)


main()
