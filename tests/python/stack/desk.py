"""What the backend and operators do, in one call each: upload, send a job, read an execution and the dead letters."""

import json
import os
import pathlib
import signal

from server import DONE, equal, until

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MEDIA = {
    "front.jpg": "photo/horizontal", "kitchen.jpg": "photo/horizontal", "kitchen-damaged.jpg": "photo/horizontal",
    "staircase.jpg": "photo/vertical", "description.pdf": "project/doc", "walk-through.mp4": "video/horizontal",
}


class Desk:
    """Works on one deployment."""

    def __init__(self, deployment):
        self.aws, self.backend, self.transcoder = deployment, deployment.backend, deployment.transcoder
        self.samples = deployment.repository / "samples/listing"
        outputs = deployment.outputs
        self.bucket, self.queue, self.machine = outputs["MediaBucketName"], outputs["QueueUrl"], outputs["StateMachineArn"]
        self.dead_queue, self.function = outputs["DeadLetterQueueUrl"], outputs["HostFunctionName"]
        self.role = self.aws.functions.get_function_configuration(FunctionName=self.function)["Role"].rsplit("/", 1)[1]
        self.dead = []

    def upload(self, listing, sample, name=None):
        """Uploads a sample as the backend does. Returns its key."""
        key = f"{listing}/raw/{MEDIA[sample]}/2026-01-02/{name or sample}"
        self.aws.its_s3.put_object(Bucket=self.bucket, Key=key, Body=(self.samples / sample).read_bytes())
        return key

    def job(self, listing, samples, **more):
        """Uploads samples. Returns a job for them. A pair is a sample and the name for its upload."""
        keys = [self.upload(listing, *([sample] if isinstance(sample, str) else sample)) for sample in samples]
        return {"jobId": 4, "batchId": 5, "listingId": listing, "assets": keys, "retry": 0, **more}

    def send(self, job):
        """Sends a job or any text. Returns the message's id."""
        body = job if isinstance(job, str) else json.dumps(job)
        attributes = {"Traceparent": {"DataType": "String", "StringValue": TRACE}}
        sent = self.aws.its_sqs.send_message(QueueUrl=self.queue, MessageBody=body, MessageAttributes=attributes)
        return sent["MessageId"]

    def arn(self, listing, retry=0):
        """Returns the ARN of the execution that a job of `job` starts."""
        name = f"listing-{listing}_batch-5_job-4_retry-{retry}"
        return self.machine.replace(":stateMachine:", ":execution:") + f":{name}"

    def started(self, listing, retry=0):
        arn = self.arn(listing, retry)
        return until(f"{arn} begins", lambda: arn in self.executions() and arn)

    def executions(self):
        pages = self.aws.states.get_paginator("list_executions").paginate(stateMachineArn=self.machine)
        return [execution["executionArn"] for page in pages for execution in page["executions"]]

    def ended(self, arn, status):
        """Waits for the end of an execution with this status. Returns its description."""
        describe = self.aws.its_states.describe_execution
        seen = until(f"the end of {arn}", lambda: (it := describe(executionArn=arn))["status"] in DONE and it)
        equal(seen["status"], status, f"the end of {arn}: {seen.get('error')} {seen.get('cause')}")
        return seen

    def history(self, arn):
        pages = self.aws.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def states(self, arn):
        """Returns the states that an execution entered, in order; ministack lists only those outside branches."""
        entered = (event.get("stateEnteredEventDetails") for event in self.history(arn))
        return [details["name"] for details in entered if details]

    def errors(self, arn):
        """Returns the errors of failed tasks, in order."""
        failed = (event.get("taskFailedEventDetails") for event in self.history(arn))
        return [details["error"] for details in failed if details]

    def dead_letters(self):
        """Returns every message that the dead-letter queue ever had, each once."""
        taken = self.aws.sqs.receive_message(
            QueueUrl=self.dead_queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get("Messages", [])
        for message in taken:
            self.dead.append(message)
            self.aws.sqs.delete_message(QueueUrl=self.dead_queue, ReceiptHandle=message["ReceiptHandle"])
        return self.dead

    def dead_letter(self, what, is_it):
        """Waits for a message for which `is_it` holds. Returns it."""
        return until(what, lambda: next((message for message in self.dead_letters() if is_it(message)), None))

    def logged(self):
        """Returns the host's log lines so far, as JSON."""
        pages = self.aws.logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{self.function}")
        for page in pages:
            for event in page["events"]:
                for line in event["message"].splitlines():
                    if line.startswith("{"):
                        yield json.loads(line)

    def sweep(self):
        """Has the host look after open tickets, as its schedule does. Returns what it found and did."""
        answer = self.aws.functions.invoke(
            FunctionName=self.function, Qualifier="live", Payload=json.dumps({"source": "stagehost.sweep"}))
        document = json.loads(answer["Payload"].read())
        equal(answer.get("FunctionError"), None, f"the sweep's answer {document}")
        return document["swept"]

    def open_tickets(self, listing):
        """Returns the tickets of a listing's states that wait."""
        arn, found = self.arn(listing), []
        for entry in self.aws.s3.list_objects_v2(Bucket=self.bucket, Prefix="pipeline/tickets/").get("Contents", []):
            try:
                body = self.aws.s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read()
            except self.aws.s3.exceptions.NoSuchKey:
                continue
            found += [entry["Key"]] if json.loads(body)["execution"] == arn else []
        return found

    def announce(self, event):
        """Puts an event of MediaConvert on the bus."""
        answer = self.aws.events.put_events(Entries=[event])
        equal(answer["FailedEntryCount"], 0, f"the bus's answer {answer}")

    def kill_the_function(self):
        """Kills every process that ministack runs as the function."""
        wanted = f"AWS_LAMBDA_FUNCTION_NAME={self.function}".encode(), f"AWS_ENDPOINT_URL={self.aws.endpoint}".encode()
        killed = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                variables, name = (process / "environ").read_bytes().split(b"\0"), (process / "comm").read_text().strip()
            except OSError:
                continue
            if name == "bootstrap" and all(variable in variables for variable in wanted):
                os.kill(int(process.name), signal.SIGKILL)
                killed.append(process.name)
        assert killed, "the function has no process"
