"""The package on somebody else's AWS: ministack runs its `bootstrap` behind a Runtime API, and brings S3, SQS, Secrets
Manager, Step Functions and the mapping from a queue to a function.

    ministack_lambda.py PACKAGE_ZIP SAMPLES STATE_MACHINE

It is to be run by a Python that has ministack, which it starts and stops itself. Every section is an assertion about what
AWS would have answered; the exit code is 1 if any does not hold.
"""

import contextlib
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import boto3
from botocore.config import Config

ACCOUNT, REGION, BUCKET = "000000000000", "us-east-1", "medias"
FUNCTION = "listing-media-processing-host-test"
SECRET = "the backend knows it too"
PATIENCE = 180


class Backend:
    """The backend's end of the callback: believes what is signed, and remembers it."""

    def __init__(self):
        backend = self
        self.told = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
                right = hmac.compare_digest(expected, self.headers.get("X-Toq-Signature", ""))
                if right:
                    backend.told.append(json.loads(body))
                self.send_response(200 if right else 401)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/callback"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def ministack():
    """Starts it in a folder of its own, and gives its endpoint."""
    port, folder = free_port(), tempfile.mkdtemp()
    endpoint = f"http://127.0.0.1:{port}"
    # Functions inherit its environment; this is how they learn where AWS is.
    environment = {
        "PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder,
        "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "AWS_ENDPOINT_URL": endpoint,
    }
    log = open(pathlib.Path(folder) / "log", "wb+")
    process = subprocess.Popen([sys.executable, "-m", "ministack"], env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        until(lambda: answers(port), "ministack answers")
        yield endpoint
    except BaseException:
        log.seek(0)
        print(log.read()[-8000:].decode(errors="replace"), flush=True)
        raise
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def answers(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True


def until(question, what):
    """Asks again and again; gives the first answer that is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := question():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {PATIENCE} s")


class Stack:
    def __init__(self, endpoint, package, samples, machine):
        self.samples, self.backend = pathlib.Path(samples), Backend()

        def client(service):
            patient = Config(read_timeout=PATIENCE, retries={"max_attempts": 0}, s3={"addressing_style": "path"})
            return boto3.client(service, endpoint_url=endpoint, region_name=REGION, config=patient,
                                aws_access_key_id="test", aws_secret_access_key="test")

        self.s3, self.sqs, self.function, self.states = map(client, ("s3", "sqs", "lambda", "stepfunctions"))
        self.s3.create_bucket(Bucket=BUCKET)
        secret = client("secretsmanager").create_secret(Name="callback", SecretString=SECRET)["ARN"]
        role = client("iam").create_role(RoleName="host", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        machine_arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:media"
        variables = {
            "ENV": "test", "LOG_LEVEL": "info", "MEDIA_BUCKET": BUCKET, "CALLBACK_URL": self.backend.url,
            "CALLBACK_SECRET_ARN": secret, "STATE_MACHINE_ARN": machine_arn, "TRACE_HEADER_KEY": "traceparent",
        }
        self.s3.upload_file(package, BUCKET, "artifacts/host.zip")
        self.function_arn = self.function.create_function(
            FunctionName=FUNCTION, Runtime="provided.al2023", Handler="bootstrap", Role=role, Timeout=120, MemorySize=3008,
            Code={"S3Bucket": BUCKET, "S3Key": "artifacts/host.zip"}, Environment={"Variables": variables},
        )["FunctionArn"]
        self.dead_letters = self.sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        definition = pathlib.Path(machine).read_text()
        for name, value in {"HostFunctionArn": self.function_arn, "DeadLetterQueueUrl": self.dead_letters}.items():
            definition = definition.replace("${" + name + "}", value)
        made = self.states.create_state_machine(name="media", definition=definition, roleArn=role)
        assert made["stateMachineArn"] == machine_arn, made
        self.machine = machine_arn

    def upload(self, listing, media, sample):
        key = f"{listing}/raw/{media}/2026-01-02/{sample}"
        self.s3.upload_file(str(self.samples / sample), BUCKET, key)
        return key

    def invoke(self, event):
        """The answer, or the name of the error."""
        answer = self.function.invoke(FunctionName=FUNCTION, Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        return (payload, None) if "FunctionError" not in answer else (payload, payload["errorType"])

    def state(self, name, batch):
        execution = {"arn": f"arn:aws:states:{REGION}:{ACCOUNT}:execution:media:x", "name": "x",
                     "startedAt": "2026-01-02T03:04:05Z"}
        return self.invoke({"state": name, "execution": execution, "retry": 0, "batch": batch})


def a_health_event_is_answered(stack):
    answer, error = stack.invoke({"source": "stagehost.health"})
    assert error is None and answer["status"] == "ok", answer


def a_state_runs_its_stage_on_objects_in_s3(stack):
    keys = [stack.upload(50, "photo/horizontal", name) for name in ("front.jpg", "kitchen-damaged.jpg")]
    answer, error = stack.state("ValidateRawAssets", {"listingId": 50, "jobId": 4, "assets": keys})
    assert error is None, answer
    assert [asset.get("problem", {}).get("code") for asset in answer["assets"]] == [None, "Stage.Corrupt"], answer
    assert answer["assets"][0]["pixels"] == {"width": 2400, "height": 1600}, answer
    body = (stack.samples / "front.jpg").read_bytes()
    assert answer["assets"][0]["sha256"] == hashlib.sha256(body).hexdigest()
    tags = stack.s3.get_object_tagging(Bucket=BUCKET, Key=keys[0])["TagSet"]
    assert {"Key": "lifecycle", "Value": "raw"} in tags, tags


def errors_have_their_stable_names(stack):
    answer, error = stack.state("Reticulate", {"listingId": 50, "assets": []})
    assert error == "Host.NoPin" and "Reticulate" in answer["errorMessage"], answer
    for event in ({"hello": 1}, [], 7, {"state": 7}, {"Records": [{"eventSource": "aws:s3"}]}):
        answer, error = stack.invoke(event)
        assert error == "Host.BadEvent", (event, answer)
    answer, error = stack.state("ValidateRawAssets", {"assets": 7})
    assert error == "Stage.InvalidInput", answer


def news_of_a_job_of_somebody_elses_is_taken(stack):
    event = {"source": "aws.mediaconvert", "detail-type": "MediaConvert Job State Change",
             "detail": {"jobId": "1767312000000-abcdef", "status": "COMPLETE"}}
    answer, error = stack.invoke(event)
    assert error is None and answer["job"] == "1767312000000-abcdef", answer


def a_message_goes_all_the_way_and_a_bad_one_to_the_dead_letters(stack):
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-letters", "maxReceiveCount": "1"}
    queue = stack.sqs.create_queue(
        QueueName="jobs", Attributes={"VisibilityTimeout": "5", "RedrivePolicy": json.dumps(redrive)})["QueueUrl"]
    assets = [stack.upload(51, "photo/horizontal", "front.jpg"), stack.upload(51, "project/doc", "description.pdf")]
    job = json.dumps({"jobId": 4, "batchId": 5, "listingId": 51, "assets": assets, "retry": 0})
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    attributes = {"Traceparent": {"DataType": "String", "StringValue": trace}}
    stack.sqs.send_message(QueueUrl=queue, MessageBody="{oops")
    for _ in range(2):
        stack.sqs.send_message(QueueUrl=queue, MessageBody=job, MessageAttributes=attributes)
    stack.function.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs", FunctionName=FUNCTION, BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"])

    body = until(lambda: stack.backend.told, "the backend is told")[0]
    assert body["status"] == "SUCCEEDED" and body["jobId"] == 4 and body["assetsZipped"] == 5, body
    assert body["traceparent"] == trace, body
    executions = stack.states.list_executions(stateMachineArn=stack.machine)["executions"]
    assert len(executions) == 1, executions
    arn = executions[0]["executionArn"]
    until(lambda: stack.states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED", "the execution ends")
    archive = stack.s3.get_object(Bucket=BUCKET, Key="51/zip/batch-5/complete.zip")["Body"].read()
    assert archive[:4] == b"PK\x03\x04"

    dead = until(lambda: stack.sqs.receive_message(QueueUrl=stack.dead_letters).get("Messages"), "the bad one is dead")
    assert [message["Body"] for message in dead] == ["{oops"], dead


def main(package, samples, machine):
    sections = [
        a_health_event_is_answered,
        a_state_runs_its_stage_on_objects_in_s3,
        errors_have_their_stable_names,
        news_of_a_job_of_somebody_elses_is_taken,
        a_message_goes_all_the_way_and_a_bad_one_to_the_dead_letters,
    ]
    failed = []
    with ministack() as endpoint:
        stack = Stack(endpoint, package, samples, machine)
        for section in sections:
            begun = time.monotonic()
            try:
                section(stack)
            except Exception:  # Every section is told, so that one run shows all that is wrong.
                failed.append(section.__name__)
                print(f"FAILED {section.__name__}\n{traceback.format_exc()}", flush=True)
            else:
                print(f"ok {section.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
        if failed:
            raise SystemExit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
