"""A function behind Lambda's Invoke, and a queue, both with the answers of a scenario of tests/scenarios.

They do the same as tests/tests/state_machine/run.rs, but in real time with shorter waits.
"""

import collections
import contextlib
import copy
import http.server
import json
import re
import threading
import time
import urllib.parse

from botocore.exceptions import BotoCoreError, ClientError

INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
# What a scenario's longer times become, in seconds; shorter ones become a fifth.
WAIT_S, BEAT_S = 20, 1
# How often a result is reported, a second apart, until the engine takes it.
REPORTS = 10


def merge(target, patch):
    """Applies a merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merge(target.get(name), value)
    return target


def step_of(steps, number):
    """Returns the step of the call of this number, from 0."""
    calls = [step for step in steps for _ in range(step.get("times") or 1)]
    return calls[min(number, len(calls) - 1)] if calls else {"adds": {}}


def shortened(seconds):
    return seconds / 5 if seconds <= 10 else WAIT_S


class Error(Exception):
    def __init__(self, name, message="the function was told to"):
        super().__init__(name)
        self.document = {"errorType": name, "errorMessage": message}


class ScriptedFunction:
    """Answers for all executions of one engine. `states` is the engine's Step Functions client, `real` answers for
    executions that have no scenario."""

    def __init__(self, executions, real=None):
        self.answers = {execution["slug"]: execution["answers"] for execution in executions}
        self.real, self.states = real, None
        self.calls = collections.defaultdict(lambda: collections.defaultdict(list))
        self.messages = collections.defaultdict(list)
        self.lock, self.end = threading.Lock(), threading.Event()
        function = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                # The caller may have given up.
                with contextlib.suppress(ConnectionError):
                    self.reply(*function.route(self.path, self.headers, body))

            def reply(self, status, headers, body):
                self.send_response(status)
                for name, value in {"Content-Length": len(body), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            # Many states call at once.
            request_queue_size = 128
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.end.set()
        self.server.shutdown()
        self.server.server_close()

    def route(self, path, headers, body):
        if headers.get("X-Amz-Target") == "AmazonSQS.SendMessage":
            return self.send_message(json.loads(body))
        if not INVOKE.fullmatch(urllib.parse.unquote(path)):
            return 404, {}, json.dumps({"message": f"{path} is not served here"}).encode()
        event = json.loads(body)
        slug = event["execution"]["name"]
        if slug not in self.answers:
            return self.real(slug, event)
        try:
            return 200, {}, json.dumps(self.answer(slug, event)).encode()
        except Error as error:
            return 200, {"X-Amz-Function-Error": "Unhandled"}, json.dumps(error.document).encode()

    def next_step(self, slug, state, seen, entry):
        with self.lock:
            seen.append(entry)
            return step_of(self.answers[slug].get(state, []), len(seen) - 1)

    def answer(self, slug, event):
        state = event["state"]
        step = self.next_step(slug, state, self.calls[slug][state], copy.deepcopy(event))
        if step.get("hangs"):
            self.end.wait()
        if "fails" in step:
            time.sleep(shortened(step.get("after", 0)))
            raise Error(step["fails"])
        document = self.document(step, event["batch"])
        token = event.get("taskToken")
        if token is None:
            return document
        if step.get("after") == 0:
            self.report(token, step, document)
        else:
            threading.Thread(target=self.later, args=(token, step, document), daemon=True).start()
        return None

    @staticmethod
    def document(step, batch):
        """Merges the branches of a Parallel state into one document, as the host does, and adds what the scenario says."""
        document = {}
        for branch in batch.get("branches", [batch]):
            document = merge(document, branch)
        document = merge(document, step.get("adds", {}))
        if "bytes" in step:
            document["filler"] = "x" * step["bytes"]
        return document

    def later(self, token, step, document):
        wait = float("inf") if step.get("silent") else shortened(step.get("after", 1))
        ready = time.monotonic() + wait
        while (left := ready - time.monotonic()) > 0:
            if "beats" in step:
                # Refused when the task is over; moto also refuses it while the call is running.
                with contextlib.suppress(BotoCoreError, ClientError):
                    self.states.send_task_heartbeat(taskToken=token)
                left = min(left, BEAT_S)
            if self.end.wait(None if left == float("inf") else left):
                return
        # Refused for good when the task is over, and by moto for as long as the call is not.
        for _ in range(REPORTS):
            try:
                return self.report(token, step, document)
            except (BotoCoreError, ClientError):
                if self.end.wait(BEAT_S):
                    return

    def report(self, token, step, document):
        if error := step.get("failsLater"):
            cause = json.dumps(Error(error).document)
            self.states.send_task_failure(taskToken=token, error=error, cause=cause)
        else:
            self.states.send_task_success(taskToken=token, output=json.dumps(document))

    def send_message(self, message):
        slug = message["MessageAttributes"]["ExecutionArn"]["StringValue"].rsplit(":", 1)[1]
        state = "KeepUndeliveredResult"
        step = self.next_step(slug, state, self.messages[slug], message)
        if step.get("hangs"):
            self.end.wait()
        if "fails" in step:
            error = {"__type": "com.amazonaws.sqs#ServiceUnavailable", "message": "the queue was told to"}
            return 503, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(error).encode()
        return 200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps({"MessageId": "1"}).encode()
