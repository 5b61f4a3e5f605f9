"""Faults around the host: each result reaches the backend or the dead-letter queue."""

import json

from server import equal, holds, until
from stack.batches import STRAIGHT, transcoded


def down(until_attempt=None):
    """A backend that is overloaded up to one attempt, or always."""
    return lambda attempt: 503 if until_attempt is None or attempt < until_attempt else 200


def versions(desk, prefix):
    listed = desk.aws.s3.list_object_versions(Bucket=desk.bucket, Prefix=prefix).get("Versions", [])
    return sorted((version["Key"], version["VersionId"]) for version in listed)


def a_result_that_nobody_takes_is_kept_whole_and_runs_again_from_there(desk):
    desk.backend.moods[201] = down()
    desk.send(desk.job(201, ["front.jpg", "kitchen-damaged.jpg"]))
    yield  # Nine calls of four attempts each.
    arn = desk.arn(201)
    equal(desk.ended(arn, "FAILED")["error"], "Batch.ProcessingFailed", "the execution's error")
    equal(desk.states(arn), [*STRAIGHT[:-1], "KeepUndeliveredResult", "ProcessingFailed"], "the states")
    equal(desk.errors(arn), ["Stage.Transient"] * 9, "the first call and eight retries")
    holds(9 <= desk.backend.attempts[201] <= 36, f"attempts, four a call at most: {desk.backend.attempts[201]}")
    equal(desk.backend.heard(201), [], "callbacks that were taken")

    message = desk.dead_letter("the result is kept", lambda m: '"undelivered"' in m["Body"])
    equal(message["MessageAttributes"]["ExecutionArn"]["StringValue"], arn, "whose result it is")
    result = json.loads(message["Body"])
    equal((result["undelivered"]["Error"], result["listingId"]), ("Stage.Transient", 201), "why it is there")
    files = {asset["key"].rsplit("/", 1)[1]: asset for asset in result["assets"]}
    equal(len(files["front.jpg"]["renditions"]), 3, "thumbnails in the result")
    equal(files["kitchen-damaged.jpg"]["problem"]["code"], "Stage.Corrupt", "the problem in the result")
    equal(len(result["bundles"]), 3, "archives in the result")

    # As statemachine/README.md says, the message is moved to the job queue as it is.
    before = versions(desk, "201/thumb/") + versions(desk, "201/zip/")
    desk.backend.moods.pop(201)
    desk.send(result)
    body, _ = desk.backend.wait_for(201)
    equal(body["status"], "PARTIAL_SUCCESS", f"the callback {body}")
    desk.ended(desk.arn(201, retry=1), "SUCCEEDED")
    equal(versions(desk, "201/thumb/") + versions(desk, "201/zip/"), before, "nothing was made twice")


def a_backend_that_comes_back_is_told_then(desk):
    desk.backend.moods[202] = down(until_attempt=6)
    desk.send(desk.job(202, ["front.jpg"]))
    body, headers = desk.backend.wait_for(202)
    equal(body["status"], "SUCCEEDED", f"the callback {body}")
    arn = desk.arn(202)
    desk.ended(arn, "SUCCEEDED")
    equal(desk.states(arn), STRAIGHT, "the states")
    equal((set(desk.errors(arn)), desk.backend.attempts[202]), ({"Stage.Transient"}, 6), "failed calls, and attempts in all")
    equal(desk.backend.identifiers[202], {headers["webhook-id"]}, "the callback's id, over all attempts")


def an_event_that_is_lost_costs_a_sweep(desk):
    desk.send(desk.job(207, ["front.jpg", "walk-through.mp4"]))
    job = desk.transcoder.job_of(207)
    until("the ticket is open", lambda: desk.open_tickets(207))
    transcoded(desk, job, told=False)
    holds(desk.sweep()["ended"] >= 1, "the sweep ends the state")
    body, _ = desk.backend.wait_for(207)
    equal(body["status"], "SUCCEEDED", f"the callback {body}")
    desk.ended(desk.arn(207), "SUCCEEDED")
    equal(desk.open_tickets(207), [], "tickets")


def the_jobs_of_a_stopped_execution_are_cancelled_by_the_sweep(desk):
    desk.send(desk.job(208, ["walk-through.mp4"]))
    job = desk.transcoder.job_of(208)
    until("the ticket is open", lambda: desk.open_tickets(208))
    desk.aws.states.stop_execution(executionArn=desk.arn(208), error="Person.Changed", cause="their mind")
    until("the execution is over", lambda: desk.aws.states.describe_execution(executionArn=desk.arn(208))["status"] == "ABORTED")
    desk.sweep()
    equal((job["status"], desk.open_tickets(208)), ("CANCELED", []), "its job, and its ticket")


def a_job_of_a_failed_execution_that_is_sent_again_is_kept(desk):
    job = desk.job(209, ["kitchen-damaged.jpg"])
    desk.send(job)
    desk.ended(desk.started(209), "FAILED")
    message = desk.send(job)
    letter = desk.dead_letter("the job is kept", lambda m: '"listingId": 209' in m["Body"])
    equal(json.loads(letter["Body"]), job, "the message")
    said = [line["reason"] for line in desk.logged() if line.get("message_id") == message and "reason" in line]
    holds(said and "has ended as FAILED" in said[0], f"why: {said}")


def a_throttled_invocation_is_tried_again(desk):
    desk.aws.throttle.touch()
    job = desk.job(203, ["front.jpg"])
    arn = desk.aws.its_states.start_execution(
        stateMachineArn=desk.machine, name="listing-203_batch-5_job-4_retry-0", input=json.dumps(job))["executionArn"]
    body, _ = desk.backend.wait_for(203)
    equal(body["status"], "SUCCEEDED", f"the callback {body}")
    desk.ended(arn, "SUCCEEDED")
    equal((desk.errors(arn), desk.states(arn)), (["Lambda.TooManyRequestsException"], STRAIGHT), "how it went")


def a_host_that_dies_in_a_call_is_called_again(desk):
    def death(attempt):
        if attempt == 1:
            desk.kill_the_function()
        return 200

    desk.backend.moods[205] = death
    desk.send(desk.job(205, ["front.jpg"]))
    desk.ended(desk.started(205), "SUCCEEDED")
    arn = desk.arn(205)
    equal((desk.errors(arn), desk.states(arn)), (["Runtime.ExitError"], STRAIGHT), "how it went")
    equal(len(desk.backend.identifiers[205]), 1, "the callback's id, over both calls")


def refusals(desk, message):
    """Returns the host's log lines about refused messages, in order."""
    lines = (line for line in desk.logged() if line.get("message", "").startswith("job refused"))
    return [(line["receives"], line["again_after_seconds"]) for line in lines if line["message_id"] == message]


def a_job_that_could_not_be_started_comes_back_by_itself(desk):
    deny = {"Effect": "Deny", "Action": "states:StartExecution", "Resource": "*"}
    policy = {"RoleName": desk.role, "PolicyName": "not-now"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    desk.aws.iam.put_role_policy(**policy, PolicyDocument=document)
    try:
        message = desk.send(desk.job(206, ["front.jpg"]))
        until("the job is refused", lambda: refusals(desk, message))
    finally:
        desk.aws.iam.delete_role_policy(**policy)
    yield  # Half a minute, and not the queue's hour and a half.
    desk.ended(desk.started(206), "SUCCEEDED")
    equal(refusals(desk, message), [(1, 30)], "refusals: the receive, and after how long the next one is to come")
    equal(desk.backend.wait_for(206)[0]["status"], "SUCCEEDED", "the callback")


def a_message_that_nobody_can_read_is_dead_after_five_receives(desk):
    # Only the host itself shortens the message's visibility timeout.
    message = desk.send("{oops")
    desk.dead_letter("the bad message is dead", lambda message: message["Body"] == "{oops")
    seen = until("the log of all receives", lambda: (seen := refusals(desk, message))[4:] and seen)
    equal(seen, [(receive, 1) for receive in range(1, 6)], "refusals: the receive, and after how long the next one is to come")


def a_stopped_execution_leaves_its_input_and_late_news_do_no_harm(desk):
    desk.send(desk.job(204, ["walk-through.mp4"]))
    job = desk.transcoder.job_of(204)
    arn = desk.arn(204)
    desk.aws.states.stop_execution(executionArn=arn, error="Person.Changed", cause="their mind")
    message = desk.dead_letter("the stopped execution is reported", lambda m: '"ABORTED"' in m["Body"] and arn in m["Body"])
    detail = json.loads(message["Body"])["detail"]
    equal(json.loads(detail["input"])["listingId"], 204, "the input")
    transcoded(desk, job)
    until("the news is taken", lambda: any(job["id"] in str(line) for line in desk.logged()))
    equal(desk.backend.heard(204), [], "callbacks")
