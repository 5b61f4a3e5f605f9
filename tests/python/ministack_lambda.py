"""The package on ministack, which runs its `bootstrap` behind a Runtime API and has S3, SQS, Secrets Manager, Step
Functions and the mapping from a queue to a function.

    ministack_lambda.py PACKAGE_ZIP SAMPLES STATE_MACHINE

Run it with a Python that has ministack, which it starts and stops itself. Every section asserts what AWS would have
answered; the exit code is 1 if one fails.
"""

import hashlib
import json
import pathlib
import sys

from backend import SECRET, Backend
from ministack_server import ACCOUNT, REGION, client, ministack
from sections import run
from server import until

BUCKET, FUNCTION = "medias", "listing-media-processing-host-test"


class Stack:
    def __init__(self, endpoint, package, samples, machine):
        self.samples, self.backend = pathlib.Path(samples), Backend()

        services = ("s3", "sqs", "lambda", "stepfunctions", "secretsmanager", "iam")
        self.s3, self.sqs, self.function, self.states, secrets, roles = (client(endpoint, name) for name in services)
        self.s3.create_bucket(Bucket=BUCKET)
        secret = secrets.create_secret(Name="callback", SecretString=SECRET)["ARN"]
        role = roles.create_role(RoleName="host", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
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
        """Returns the answer, or the name of the error."""
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
        QueueName="jobs", Attributes={"VisibilityTimeout": "720", "RedrivePolicy": json.dumps(redrive)})["QueueUrl"]
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

    body, _ = stack.backend.wait_for(51)
    assert body["status"] == "SUCCEEDED" and body["jobId"] == 4 and body["assetsZipped"] == 5, body
    assert body["traceparent"] == trace, body
    executions = stack.states.list_executions(stateMachineArn=stack.machine)["executions"]
    assert len(executions) == 1, executions
    arn = executions[0]["executionArn"]
    until("the execution ends", lambda: stack.states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED")
    archive = stack.s3.get_object(Bucket=BUCKET, Key="51/zip/batch-5/complete.zip")["Body"].read()
    assert archive[:4] == b"PK\x03\x04"

    dead = until("the bad one is dead", lambda: stack.sqs.receive_message(QueueUrl=stack.dead_letters).get("Messages"))
    assert [message["Body"] for message in dead] == ["{oops"], dead


def main(package, samples, machine):
    sections = [
        a_health_event_is_answered,
        a_state_runs_its_stage_on_objects_in_s3,
        errors_have_their_stable_names,
        news_of_a_job_of_somebody_elses_is_taken,
        a_message_goes_all_the_way_and_a_bad_one_to_the_dead_letters,
    ]
    with ministack() as endpoint:
        if run(sections, Stack(endpoint, package, samples, machine)):
            raise SystemExit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
