"""Batches that succeed: from a message on the queue to the callback."""

import io
import json
import zipfile

from server import equal, holds, until
from stack.desk import TRACE
from stack.transcoder import event, outputs

STRAIGHT = ["ValidateRawAssets", "CheckValidation", "ParallelProcessing", "CheckBranches", "CreateZipBundle",
            "FinalizeAndCallback", "ProcessingSucceeded"]


def by_name(body):
    """Returns the callback's entry of each file."""
    return {output["rawKey"].rsplit("/", 1)[1]: output for output in body["outputs"]}


def transcoded(desk, job, status="COMPLETE", told=True, **more):
    """Ends a job as MediaConvert does, with its files if it is complete. The event may get lost."""
    if status == "COMPLETE":
        for bucket, key in outputs(job):
            body = (desk.samples / "walk-through.mp4").read_bytes()
            desk.aws.s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="video/mp4")
    job["status"] = status
    if told:
        desk.announce(event(job, status, **more))


def a_listing_with_photos_a_document_and_a_video_goes_all_the_way(desk):
    names = ["front.jpg", "staircase.jpg", "description.pdf", "walk-through.mp4"]
    desk.send(desk.job(101, names))
    job = desk.transcoder.job_of(101)
    equal((job["jobTemplate"], job["queue"].rsplit("/", 1)[1], job["role"].rsplit("/", 1)[1]),
          ("toq-media-video-preset-staging", "toq-media-queue-staging", "toq-media-processing-mediaconvert-staging"),
          "what the job names")
    equal(desk.backend.heard(101), [], "callbacks while the video is being transcoded")
    desk.announce(event(job, "STATUS_UPDATE", jobProgress={"jobPercentComplete": 50}))
    transcoded(desk, job)

    body, headers = desk.backend.wait_for(101)
    arn = desk.arn(101)
    equal((body["status"], body["jobId"], body["batchId"], body["executionArn"], body["provider"]),
          ("SUCCEEDED", 4, 5, arn, "STEP_FUNCTIONS"), "the callback")
    equal((body["traceparent"], headers["traceparent"]), (TRACE, TRACE), "the trace, from the queue to the header")
    holds(headers["webhook-id"].startswith("msg_"), f"the callback's id {headers}")
    told = by_name(body)
    equal(sorted(told), sorted(names), "files that the callback names")
    equal([name for name in names if told[name].get("errorCode")], [], "files that failed")
    renditions = {name: sorted(told[name].get("outputs", {})) for name in names}
    boxes = ["1280x960", "320x240", "640x480"]
    equal(renditions, {"front.jpg": boxes, "staircase.jpg": boxes, "description.pdf": [],
                       "walk-through.mp4": ["1080p", "720p"]}, "renditions of each")
    for output in told.values():
        for key in output.get("outputs", {}).values():
            desk.aws.its_s3.head_object(Bucket=desk.bucket, Key=key)
    archive = desk.aws.its_s3.get_object(Bucket=desk.bucket, Key="101/zip/batch-5/complete.zip")["Body"].read()
    equal(zipfile.ZipFile(io.BytesIO(archive)).testzip(), None, "the first broken entry of the archive")
    tags = desk.aws.s3.get_object_tagging(Bucket=desk.bucket, Key=told["front.jpg"]["rawKey"])["TagSet"]
    holds({"Key": "lifecycle", "Value": "raw"} in tags, f"the tag that brings uploads to Glacier is among {tags}")

    end = desk.ended(arn, "SUCCEEDED")
    equal(desk.states(arn), STRAIGHT, "the states")
    equal(desk.errors(arn), [], "tasks that failed")
    equal(json.loads(end["output"])["counts"]["failed"], 0, "files that failed, in the execution's output")
    # The states inside branches are in the host's log.
    called = until("the log of every state", lambda: (
        seen := {line.get("state") for line in desk.logged() if line.get("execution") == arn}
    ) >= {"ValidateRawAssets", "GenerateThumbnails", "ProcessVideos", "CreateZipBundle", "FinalizeAndCallback"} and seen)
    holds("ReportProcessingFailed" not in called, f"states that called the host: {called}")


def a_damaged_photo_costs_itself_only(desk):
    desk.send(desk.job(102, ["front.jpg", "kitchen-damaged.jpg"]))
    body, _ = desk.backend.wait_for(102)
    equal(body["status"], "PARTIAL_SUCCESS", f"the callback {body}")
    told = by_name(body)
    equal(told["kitchen-damaged.jpg"]["errorCode"], "Stage.Corrupt", "the damaged photo")
    equal((told["front.jpg"].get("errorCode"), len(told["front.jpg"]["outputs"])), (None, 3), "the good one")
    arn = desk.arn(102)
    desk.ended(arn, "SUCCEEDED")
    equal(desk.states(arn), STRAIGHT, "the states")


def without_a_valid_file_the_batch_fails_and_the_backend_knows_why(desk):
    desk.send(desk.job(103, ["kitchen-damaged.jpg"]))
    body, _ = desk.backend.wait_for(103)
    equal(body["status"], "VALIDATION_FAILED", f"the callback {body}")
    equal(by_name(body)["kitchen-damaged.jpg"]["errorCode"], "Stage.Corrupt", "what is wrong with the file")
    arn = desk.arn(103)
    equal(desk.ended(arn, "FAILED")["error"], "Batch.ValidationFailed", "the execution's error")
    equal(desk.states(arn), ["ValidateRawAssets", "CheckValidation", "ReportValidationFailed", "ValidationFailed"],
          "the states")


def a_job_that_fails_costs_its_video_only_and_operators_hear_of_it(desk):
    alerts = desk.aws.sqs.create_queue(QueueName="operators")["QueueUrl"]
    arn = desk.aws.sqs.get_queue_attributes(QueueUrl=alerts, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]}
    desk.aws.sqs.set_queue_attributes(QueueUrl=alerts, Attributes={"Policy": json.dumps(policy)})
    topic = desk.aws.outputs["AlertTopicArn"]
    subscription = desk.aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]

    desk.send(desk.job(104, ["front.jpg", "walk-through.mp4"]))
    job = desk.transcoder.job_of(104)
    transcoded(desk, job, "ERROR", errorCode=1404, errorMessage="The input has no video.")
    body, _ = desk.backend.wait_for(104)
    equal(body["status"], "PARTIAL_SUCCESS", f"the callback {body}")
    told = by_name(body)
    holds("The input has no video." in told["walk-through.mp4"]["errorMessage"], f"the video {told['walk-through.mp4']}")
    equal((told["front.jpg"].get("errorCode"), len(told["front.jpg"]["outputs"])), (None, 3), "the photo")
    desk.ended(desk.arn(104), "SUCCEEDED")

    heard = until("the operators are told", lambda: desk.aws.sqs.receive_message(QueueUrl=alerts).get("Messages"))
    holds(job["id"] in heard[0]["Body"] and "1404" in heard[0]["Body"], f"the alert {heard}")
    desk.aws.sns.unsubscribe(SubscriptionArn=subscription)


def a_job_that_is_delivered_three_times_is_one_execution_and_one_callback(desk):
    job = desk.job(105, ["front.jpg"])
    desk.send(job)
    desk.send(job)
    desk.backend.wait_for(105)
    desk.ended(desk.arn(105), "SUCCEEDED")
    desk.send(job)
    taken = until("the third message is taken", lambda: (
        seen := [line for line in desk.logged() if line.get("message") == "job taken" and "listing-105_" in str(line)]
    )[2:] and seen)
    equal(len(taken), 3, "messages that were taken")
    equal([arn for arn in desk.executions() if "listing-105_" in arn], [desk.arn(105)], "executions")
    equal(len(desk.backend.heard(105)), 1, "callbacks")


def nothing_came_unsigned(desk):
    equal(desk.backend.forged, [], "callbacks with a wrong signature, or to a wrong place")
