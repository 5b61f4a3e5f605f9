"""The same executions on three engines: the project's interpreter, moto and ministack.

    engines.py EXECUTIONS SERVE SAMPLES MOTO_PYTHON

EXECUTIONS has the scenarios of tests/scenarios with the interpreter's executions; SERVE is the document that
`stagehost serve` prints. Run it with a Python that has ministack; MOTO_PYTHON is one that has moto. Both servers are
started and stopped here.

Two kinds of executions are compared, in everything that can be seen from outside: those of the scenarios, whose function
has scripted answers, and two whose function is the real host. engine_differences.py lists the known differences and their
reasons; the exit code is 1 if there is another one, or if a listed one has gone.
"""

import concurrent.futures
import contextlib
import io
import json
import pathlib
import re
import sys
import urllib.request
import zipfile

from engine_differences import ASPECTS, DIFFERENCES, NOT_RUN
from ministack_server import ACCOUNT, REGION, client, ministack
from moto_server import moto
from scripted_function import WAIT_S, ScriptedFunction
from server import DONE, Server, until

# What the interpreter's execution called; the same names are made elsewhere.
FUNCTION = "listing-media-host"
QUEUE = "http://127.0.0.1/000000000000/listing-media-dlq"
ROLE = "arn:aws:iam::000000000000:role/any"
AT_ONCE = 12
# It scales the waits of retries by itself, and would refuse calls on a machine with little memory.
MINISTACK = {"SFN_WAIT_SCALE": "0.01", "LAMBDA_ACCOUNT_CONCURRENCY": "0"}


def hurried(definition, answers):
    """Returns the definition with short waits. Only timeouts differ, and only where a scenario lets them expire:
    a slow machine must not be taken for a dead function."""

    def visit(value, state=None):
        if isinstance(value, list):
            return [visit(item, state) for item in value]
        if not isinstance(value, dict):
            return value
        if "ErrorEquals" in value and "IntervalSeconds" in value:
            value = {name: item for name, item in value.items() if name != "MaxDelaySeconds"}
            return {**value, "IntervalSeconds": 1, "BackoffRate": 1.0}
        if value.get("Type") == "Task":
            value = {**value, **clocks(value, answers.get(state, []))}
        return {name: visit(item, name) for name, item in value.items()}

    return visit(definition)


def clocks(task, steps):
    hangs, silent = (any(step.get(kind) for step in steps) for kind in ("hangs", "silent"))
    beats = any("beats" in step for step in steps)
    if "HeartbeatSeconds" not in task:
        return {"TimeoutSeconds": 1 if "sqs" in task["Resource"] else 3} if hangs else {}
    # Heartbeats come every second; only a scenario may make one late, not a slow machine.
    return {
        "TimeoutSeconds": WAIT_S if silent and beats else task["TimeoutSeconds"],
        "HeartbeatSeconds": 2 if hangs or silent and not beats else WAIT_S - 5 if beats else task["HeartbeatSeconds"],
    }


class Engine:
    """An engine behind its API, and the scripted function that it calls."""

    branches_in_history = True

    def __init__(self, name, states, function=None):
        self.name, self.states, self.function = name, states, function
        if function:
            function.states = states

    def start(self, slug, definition, document):
        text = json.dumps(definition).replace(QUEUE, self.queue_of(slug))
        machine = self.states.create_state_machine(name=slug, definition=text, roleArn=ROLE)["stateMachineArn"]
        arn = self.states.start_execution(stateMachineArn=machine, name=slug, input=json.dumps(document))
        return arn["executionArn"]

    def queue_of(self, slug):
        return QUEUE

    def end(self, arn):
        return until(
            f"the end of {arn} on {self.name}",
            lambda: (seen := self.states.describe_execution(executionArn=arn))["status"] in DONE and seen,
        )

    def entered(self, arn):
        """Returns name and input of the states, in order."""
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for page in pages for event in page["events"]]
        details = [event["stateEnteredEventDetails"] for event in events if event["type"].endswith("StateEntered")]
        return [(detail["name"], json.loads(detail["input"])) for detail in details]

    def messages(self, slug):
        return self.function.messages[slug]

    def run(self, slug, definition, document, answers):
        arn = self.start(slug, hurried(definition, answers), document)
        seen, entered = self.end(arn), self.entered(arn)
        return {
            "status": seen["status"], "error": seen.get("error"), "cause": seen.get("cause"),
            "output": json.loads(seen["output"]) if seen["status"] == "SUCCEEDED" else entered[-1][1],
            "states": by_branch(definition, [name for name, _ in entered]),
            "calls": {state: list(calls) for state, calls in self.function.calls[slug].items()},
            "messages": self.messages(slug),
        }


class Ministack(Engine):
    """ministack: functions are processes, and the queue is a real one."""

    branches_in_history = False

    def __init__(self, endpoint, function, answers):
        super().__init__("ministack", client(endpoint, "stepfunctions"), function)
        self.answers = answers
        bundle = io.BytesIO()
        with zipfile.ZipFile(bundle, "w") as archive:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, pathlib.Path(__file__).with_name("forwarding_function.py").read_text())
        client(endpoint, "lambda").create_function(
            FunctionName=FUNCTION, Runtime="provided.al2023", Handler="bootstrap", Role=ROLE, Timeout=900, MemorySize=128,
            Code={"ZipFile": bundle.getvalue()},
            Environment={"Variables": {"FORWARD_TO": f"127.0.0.1:{function.port}", "PYTHONDONTWRITEBYTECODE": "1"}},
        )
        self.sqs = client(endpoint, "sqs")
        self.queues = {}

    def queue_of(self, slug):
        """Makes a queue for each execution. If it must refuse, returns the URL of one that does not exist."""
        url = self.queues[slug] = self.sqs.create_queue(QueueName=slug)["QueueUrl"]
        fails = any("fails" in step for step in self.answers.get(slug, {}).get("KeepUndeliveredResult", []))
        return f"{url}-is-not-there" if fails else url

    def messages(self, slug):
        found = []
        while more := self.sqs.receive_message(
            QueueUrl=self.queues[slug], MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            found += [{"QueueUrl": QUEUE, "MessageBody": one["Body"], "MessageAttributes": one["MessageAttributes"]}
                      for one in more]
        return found


def by_branch(definition, entered):
    """Groups the states of a Parallel state by branch, because their order across branches is not defined."""
    order = []
    for state in entered:
        for at, before in enumerate(order):
            branches = definition["States"].get(before, {}).get("Branches", []) if isinstance(before, str) else []
            home = next((n for n, branch in enumerate(branches) if state in branch["States"]), None)
            if home is not None:
                order[at + 1][home].append(state)
                break
        else:
            order.append(state)
            if branches := definition["States"].get(state, {}).get("Branches"):
                order.append([[] for _ in branches])
    return order


def plain(value, name):
    """Removes what differs between two runs: the execution, dates and tokens, and the texts of a service's own errors."""
    if isinstance(value, list):
        return [plain(item, name) for item in value]
    if isinstance(value, dict):
        if "MessageId" in value:
            return "SENT"
        if "startedAt" in value and "arn" in value:
            holds_date(value["startedAt"])
            value = {**value, "startedAt": "DATE"}
        if "taskToken" in value:
            value = {**value, "taskToken": "TOKEN"}
        if set(value) >= {"Error", "Cause"}:
            value = {**value, "Cause": cause(value["Error"], value["Cause"])}
        return {key: plain(item, name) for key, item in value.items()}
    return "EXECUTION" if isinstance(value, str) and value.endswith(f":{name}") else value


def cause(error, text):
    if text is None or error.startswith("States."):
        return None
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return text


def holds_date(text):
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", text):
        raise AssertionError(f"{text!r} is no date of the language")


def aspects(trace, name, branches=True):
    """Returns the parts of an execution that are compared."""
    tokens = [event["taskToken"] for calls in trace["calls"].values() for event in calls if "taskToken" in event]
    states = trace["states"] if branches else [state for state in trace["states"] if isinstance(state, str)]
    return {
        "end": (trace["status"], trace["error"], cause(trace["error"], trace["cause"])),
        "output": plain(trace["output"], name),
        "states": states,
        "calls": plain(trace["calls"], name),
        "tokens": len(set(tokens)) == len(tokens),
        "messages": [plain({**message, "MessageBody": json.loads(message["MessageBody"])}, name)
                     for message in trace["messages"]],
    }


def compare(engine, slug, own, other):
    """Returns the aspects that differ, and where."""
    own, other = (aspects(trace, slug, engine.branches_in_history) for trace in (own, other))
    return {aspect: places(own[aspect], other[aspect]) for aspect in ASPECTS if own[aspect] != other[aspect]}


def places(own, other, path="$"):
    """Returns the places where two documents differ, one line each."""
    if isinstance(own, dict) and isinstance(other, dict):
        names = sorted({*own, *other})
        return [line for name in names for line in places(own.get(name), other.get(name), f"{path}.{name}")]
    if isinstance(own, (list, tuple)) and isinstance(other, (list, tuple)) and len(own) == len(other):
        return [line for at, pair in enumerate(zip(own, other)) for line in places(*pair, f"{path}[{at}]")]
    return [] if own == other else [f"{path}: {json.dumps(own)[:300]} here, {json.dumps(other)[:300]} there"]


def scenarios_run_alike(engine, executions):
    """Runs all scenarios on an engine. Returns the errors as text."""
    skipped = NOT_RUN[engine.name]
    wrong = [f"{engine.name}: NOT_RUN names {name!r}, which is no scenario"
             for name in set(skipped) - {execution["name"] for execution in executions}]
    wanted = [execution for execution in executions if execution["name"] not in skipped]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(engine.run, e["slug"], e["definition"], e["input"], e["answers"]) for e in wanted]
    seen, inside = {}, 0
    for execution, run in zip(wanted, runs):
        if failure := run.exception():
            wrong.append(f"{engine.name}: {execution['name']!r}: {failure!r}")
            continue
        trace = run.result()
        nested = [state for states in trace["states"] if isinstance(states, list) for state in sum(states, [])]
        inside += len(nested)
        for aspect, lines in compare(engine, execution["slug"], execution["trace"], trace).items():
            seen[execution["name"], aspect] = "".join(f"\n    {line}" for line in lines[:10])
    if bool(inside) != engine.branches_in_history:
        wrong.append(f"{engine.name}: its history {'tells' if inside else 'no longer tells'} of the states in branches")
    known = {(name, aspect) for difference in DIFFERENCES if difference.engine == engine.name
             for name in difference.scenarios for aspect in difference.aspects}
    wrong += [f"{engine.name} differs in {aspect} of {name!r}:{what}"
              for (name, aspect), what in seen.items() if (name, aspect) not in known]
    wrong += [f"{engine.name} no longer differs in {aspect} of {name!r}: take it out of engine_differences.py"
              for name, aspect in sorted(known - set(seen))]
    print(f"{engine.name}: {len(wanted)} scenarios, {len(seen)} differences, {len(skipped)} not run", flush=True)
    return wrong


class RealHost:
    """`stagehost serve`: its function is the host and its bucket has the files, whichever engine runs the state machine."""

    def __init__(self, serve, samples):
        self.server, self.samples = Server(serve), pathlib.Path(samples)

    def invoke(self, _, event):
        """Calls the function as Lambda's Invoke does."""
        answer = self.server.functions.invoke(FunctionName=self.server.function, Payload=json.dumps(event).encode())
        error = {"X-Amz-Function-Error": answer["FunctionError"]} if "FunctionError" in answer else {}
        return 200, error, answer["Payload"].read()

    def own_definition(self):
        """Returns the state machine for stagehost's own engine."""
        return json.loads(self.server.sfn.describe_state_machine(stateMachineArn=self.server.machine)["definition"])

    def definition(self):
        """Returns the state machine for another engine, whose function forwards to this one."""
        function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}"
        return json.loads(json.dumps(self.own_definition()).replace(self.server.function, function))

    def batch(self, listing, samples):
        """Uploads samples. Returns a batch of them; a name without a file becomes a key without an object."""
        keys = []
        for sample in samples:
            kind = "project/doc" if sample.endswith(".pdf") else "photo/horizontal"
            keys.append(f"{listing}/raw/{kind}/2026-01-31/{sample}")
            if (self.samples / sample).is_file():
                self.server.s3.upload_file(str(self.samples / sample), self.server.bucket, keys[-1])
        return {"listingId": listing, "jobId": 4, "batchId": "b-5", "retry": 0, "assets": keys,
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}

    def callbacks(self, name):
        """Returns the callback of the execution of this name."""
        with urllib.request.urlopen(f"{self.server.endpoint}/internal/media-processing/callbacks") as answer:
            bodies = [one["body"] for one in json.load(answer)["callbacks"]]
        bodies = [json.loads(body) if isinstance(body, str) else body for body in bodies]
        return [body for body in bodies if body["executionArn"].endswith(f":{name}")]

    def run(self, engine, definition, name, listing, samples):
        """Returns an execution of the real host without what differs between two runs."""
        arn = engine.start(name, definition, self.batch(listing, samples))
        seen, entered = engine.end(arn), engine.entered(arn)
        states = by_branch(definition, [state for state, _ in entered])
        document = {
            "end": (seen["status"], seen.get("error"), seen.get("cause")),
            "output": json.loads(seen["output"]) if seen["status"] == "SUCCEEDED" else entered[-1][1],
            # Not every engine lists the states in branches.
            "states": [state for state in states if isinstance(state, str)],
            "callbacks": self.callbacks(name),
        }
        return scrubbed(document, name, str(listing))


def scrubbed(value, name, listing):
    """Removes listing, execution and dates from a document of the real host."""
    if isinstance(value, (list, tuple)):
        return [scrubbed(item, name, listing) for item in value]
    if isinstance(value, dict):
        return {key: scrubbed(item, name, listing) for key, item in value.items()}
    if str(value) == listing:
        return "LISTING"
    if not isinstance(value, str):
        return value
    value = re.sub(r"arn:aws:states:\S*", "EXECUTION", value.replace(listing, "LISTING").replace(name, "NAME"))
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+(Z|\+00:00)", "DATE", value)


# The real host's input, the execution's status, and the callback's status.
BATCHES = {
    "a-batch-with-a-damaged-photo": (
        ["front.jpg", "kitchen-damaged.jpg", "description.pdf"], ["SUCCEEDED", None], "PARTIAL_SUCCESS"),
    "a-batch-without-a-valid-file": (
        ["kitchen-damaged.jpg", "not-uploaded.jpg"], ["FAILED", "Batch.ValidationFailed"], "VALIDATION_FAILED"),
}


def real_batches_run_alike(host, engines):
    wrong, definition = [], host.definition()
    own = Engine("interpreter", host.server.sfn)
    for number, (name, (samples, end, word)) in enumerate(BATCHES.items()):
        runs = {}
        for at, engine in enumerate([own, *engines]):
            machine = host.own_definition() if engine is own else definition
            listing = 7_310_000 + 10 * number + at
            runs[engine.name] = host.run(engine, machine, f"{name}-{engine.name}", listing, samples)
        expected = runs.pop(own.name)
        if expected["end"][:2] != end or [one["status"] for one in expected["callbacks"]] != [word]:
            wrong.append(f"the real host: {name} ended with {expected['end']} and the callbacks {expected['callbacks']}")
        for engine, seen in runs.items():
            wrong += [f"the real host: {name} on {engine}: {line}" for line in places(expected, seen)]
    print(f"{len(BATCHES)} batches of the real host on {1 + len(engines)} engines", flush=True)
    return wrong


def main(executions, serve, samples, moto_python):
    executions = json.loads(pathlib.Path(executions).read_text())
    host = RealHost(json.loads(pathlib.Path(serve).read_text()), samples)
    answers = {execution["slug"]: execution["answers"] for execution in executions}
    wrong = []
    with contextlib.ExitStack() as stack:
        functions = [ScriptedFunction(executions, host.invoke) for _ in range(2)]
        for function in functions:
            stack.callback(function.stop)
        endpoint = stack.enter_context(moto(moto_python, functions[0].port))
        engines = [
            Engine("moto", client(endpoint, "stepfunctions"), functions[0]),
            Ministack(stack.enter_context(ministack(corrected=True, **MINISTACK)), functions[1], answers),
        ]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            wrong += sum(pool.map(lambda engine: scenarios_run_alike(engine, executions), engines), [])
        wrong += real_batches_run_alike(host, engines)
    print("\n".join(wrong), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
