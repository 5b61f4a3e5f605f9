"""The stack is updated, rolled back by its earlier keys, and deleted, as statemachine/README.md describes."""

import json
import re

from server import equal, holds, refused, until
from stack.batches import by_name, transcoded
from stack.deployment import ENVIRONMENT, STACK

# ministack ignores heartbeats (stagehost's own interpreter is tested with them) and respects a task's timeout. One test
# deploys a copy whose timeout is the heartbeat's time.
VIDEO_TIMEOUT_S = 3


def a_stage_that_traps_costs_its_file_only_and_the_earlier_stage_comes_back(desk):
    desk.aws.deploy(desk.aws.hostile)
    crimes = {
        "panic.jpg": "Stage.Trapped", "stack.jpg": "Stage.Trapped", "memory.jpg": "Stage.OutOfMemory", "good.jpg": None,
    }
    desk.send(desk.job(301, [("front.jpg", name) for name in crimes]))
    body, _ = desk.backend.wait_for(301)
    equal(body["status"], "PARTIAL_SUCCESS", f"the callback {body}")
    told = by_name(body)
    equal({name: told[name].get("errorCode") for name in crimes}, crimes, "what the backend is told of each")
    holds("a guest's panic, on purpose" in told["panic.jpg"]["errorMessage"], f"its last words: {told['panic.jpg']}")
    desk.ended(desk.arn(301), "SUCCEEDED")

    desk.aws.deploy(desk.aws.package)
    desk.send(desk.job(302, ["front.jpg"]))
    body, _ = desk.backend.wait_for(302)
    equal((body["status"], len(by_name(body)["front.jpg"]["outputs"])), ("SUCCEEDED", 3), "after the way back")


def each_update_published_a_version_that_calls_its_own_host_and_new_executions_begin_with_the_last(desk):
    states, name = desk.aws.states, desk.function
    versions = [v["stateMachineVersionArn"] for v in
                states.list_state_machine_versions(stateMachineArn=desk.machine)["stateMachineVersions"]]
    called = {}
    for version in versions:
        definition = states.describe_state_machine(stateMachineArn=version)["definition"]
        called[version.rsplit(":", 1)[1]] = sorted(set(re.findall(f"function:{name}:([0-9]+)", definition)))
    holds(len(called) >= 3, f"versions that three deployments published: {called}")
    equal(called, {version: [version] for version in called}, "the version of the host that each calls")
    route = states.describe_state_machine_alias(stateMachineAliasArn=desk.machine + ":live")["routingConfiguration"]
    newest = max(called, key=int)
    equal([(r["stateMachineVersionArn"], r["weight"]) for r in route], [(f"{desk.machine}:{newest}", 100)], "the alias")
    alias = desk.aws.functions.get_alias(FunctionName=name, Name="live")
    equal(alias["FunctionVersion"], newest, "where messages and events go")


def a_video_that_nobody_reports_of_ends_in_time_with_what_else_was_made(desk):
    definition = json.loads(desk.aws.definition.read_text())
    branches = definition["States"]["ParallelProcessing"]["Branches"]
    waiting = [branch["States"]["ProcessVideos"] for branch in branches if "ProcessVideos" in branch["States"]]
    equal(len(waiting), 1, "states that wait")
    waiting[0]["TimeoutSeconds"] = VIDEO_TIMEOUT_S
    shorter = desk.aws.folder / "shorter.asl.json"
    shorter.write_text(json.dumps(definition))
    desk.aws.deploy(desk.aws.package, shorter)

    desk.send(desk.job(303, ["front.jpg", "walk-through.mp4"]))
    body, _ = desk.backend.wait_for(303)
    equal((body["status"], body["error"]["code"]), ("TIMED_OUT", "States.Timeout"), f"the callback {body}")
    holds("ProcessVideos" in body["failureReason"], f"the state is named: {body['failureReason']}")
    equal(len(by_name(body)["front.jpg"]["outputs"]), 3, "thumbnails of the branch beside it")
    arn = desk.arn(303)
    equal(desk.ended(arn, "FAILED")["error"], "Batch.ProcessingFailed", "the execution's error")
    equal((desk.errors(arn), desk.states(arn)[-3:]),
          (["States.Timeout"], ["CheckBranches", "ReportProcessingFailed", "ProcessingFailed"]), "how it went")
    # Its job ends late: the ticket's token has expired, and that is no error.
    job = desk.transcoder.job_of(303)
    transcoded(desk, job)
    until("the late news is taken", lambda: any(job["id"] in str(line) for line in desk.logged()))

    desk.aws.deploy(desk.aws.package)
    now = desk.aws.states.describe_state_machine(stateMachineArn=desk.machine)["definition"]
    equal(json.loads(now)["States"]["ParallelProcessing"]["Branches"][1]["States"]["ProcessVideos"]["TimeoutSeconds"], 7200,
          "the timeout after the way back")


def what_cannot_be_made_again_outlives_the_stack(desk):
    aws = desk.aws
    aws.stacks.delete_stack(StackName=STACK)
    aws.stacks.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 600})
    for bucket in (desk.bucket, f"toq-logs-{ENVIRONMENT}"):
        aws.s3.head_bucket(Bucket=bucket)
    aws.s3.head_object(Bucket=desk.bucket, Key="101/zip/batch-5/complete.zip")
    aws.sqs.get_queue_attributes(QueueUrl=desk.dead_queue, AttributeNames=["QueueArn"])
    equal(aws.kms.describe_key(KeyId=aws.outputs["KeyArn"])["KeyMetadata"]["KeyState"], "Enabled", "the key")
    refused("AWS.SimpleQueueService.NonExistentQueue", aws.sqs.get_queue_attributes, QueueUrl=desk.queue)
    refused("ResourceNotFoundException", aws.functions.get_function, FunctionName=desk.function)
    refused("StateMachineDoesNotExist", aws.states.describe_state_machine, stateMachineArn=desk.machine)
    equal(aws.events.list_rules()["Rules"], [], "rules that are left")
