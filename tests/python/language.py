"""One state machine that uses the whole States Language, run from start to end, and its expected history."""

import base64
import hashlib
import json
import uuid

from server import PATIENCE_S, RUN, equal, holds, refused, until

INVOKE = "arn:aws:states:::lambda:invoke"


def task(function, payload, **more):
    return {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": {"FunctionName": function, "Payload": payload},
        **more,
    }


def every_state_type(function):
    """A state machine with all eight state types, every intrinsic function, Retry and Catch."""
    health = {"source": "stagehost.health"}
    return {
        "Comment": "Everything that the language has, once",
        "StartAt": "Which",
        "States": {
            "Which": {
                "Type": "Choice",
                "Choices": [
                    {
                        "And": [
                            {"Variable": "$.mode", "IsPresent": True},
                            {"Not": {"Variable": "$.mode", "StringMatches": "a*"}},
                        ],
                        "Next": "GiveUp",
                    }
                ],
                "Default": "Intrinsics",
            },
            "GiveUp": {"Type": "Fail", "ErrorPath": "$.mode", "CausePath": "States.Format('{} was asked for', $.mode)"},
            "Intrinsics": {
                "Type": "Pass",
                "Parameters": {
                    "array.$": "States.Array(1, 'two', $.three, null, true)",
                    "partition.$": "States.ArrayPartition($.numbers, 2)",
                    "contains.$": "States.ArrayContains($.numbers, 5)",
                    "range.$": "States.ArrayRange(1, 9, 4)",
                    "item.$": "States.ArrayGetItem($.numbers, 1)",
                    "length.$": "States.ArrayLength($.numbers)",
                    "unique.$": "States.ArrayUnique($.numbers)",
                    "encoded.$": "States.Base64Encode($.text)",
                    "decoded.$": "States.Base64Decode('SMOkdXNlcg==')",
                    "hash.$": "States.Hash($.text, 'SHA-256')",
                    "merged.$": "States.JsonMerge($.left, $.right, false)",
                    "parsed.$": "States.StringToJson('{\"a\":[1,{\"b\":null}]}')",
                    "printed.$": "States.JsonToString($.left)",
                    "random.$": "States.MathRandom(5, 6)",
                    "sum.$": "States.MathAdd($.three, -10)",
                    "split.$": "States.StringSplit('51/raw,photo', '/,')",
                    "uuid.$": "States.UUID()",
                    "format.$": "States.Format('{} of {}: \\{{}\\}', $.three, States.ArrayLength($.numbers), $.text)",
                    "name.$": "$$.Execution.Name",
                    "state.$": "$$.State.Name",
                },
                "ResultPath": "$.made",
                "Next": "Rest",
            },
            "Rest": {"Type": "Wait", "SecondsPath": "$.pause", "Next": "Health"},
            "Health": task(
                function, health, ResultSelector={"status.$": "$.Payload.status", "code.$": "$.StatusCode"},
                ResultPath="$.health", Next="SecondTry",
            ),
            "SecondTry": task(
                function,
                # The host knows the event of the second try only.
                {"source.$": "States.ArrayGetItem(States.Array('nobody', 'stagehost.health'), $$.State.RetryCount)"},
                Retry=[{"ErrorEquals": ["Host.BadEvent"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1}],
                ResultSelector={"status.$": "$.Payload.status"},
                ResultPath="$.retried",
                Next="NeverWell",
            ),
            "NeverWell": task(
                function,
                {"source": "nobody"},
                Retry=[{
                    "ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2,
                    "MaxDelaySeconds": 2, "JitterStrategy": "FULL",
                }],
                Catch=[
                    {"ErrorEquals": ["Stage.Transient"], "Next": "GiveUp"},
                    {"ErrorEquals": ["Host.BadEvent"], "ResultPath": "$.caught", "Next": "AskSomebody"},
                ],
                Next="GiveUp",
            ),
            "AskSomebody": {
                **task(function, {**health, "token.$": "$$.Task.Token"}),
                "Resource": f"{INVOKE}.waitForTaskToken",
                "HeartbeatSeconds": PATIENCE_S,
                "ResultPath": "$.answer",
                "Next": "Both",
            },
            "Both": {
                "Type": "Parallel",
                "Branches": [
                    {
                        "StartAt": "Left",
                        "States": {"Left": {"Type": "Pass", "InputPath": "$.left", "End": True}},
                    },
                    {
                        "StartAt": "Right",
                        "States": {"Right": task(function, health, OutputPath="$.Payload.status", End=True)},
                    },
                ],
                "ResultPath": "$.branches",
                "Next": "OneBreaks",
            },
            "OneBreaks": {
                "Type": "Parallel",
                "Branches": [
                    {"StartAt": "Break", "States": {"Break": {"Type": "Fail", "Error": "Branch.Broke", "Cause": "on purpose"}}},
                    {"StartAt": "Idle", "States": {"Idle": {"Type": "Wait", "Seconds": 3600, "End": True}}},
                ],
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.broken", "Next": "Each"}],
                "Next": "GiveUp",
            },
            "Each": {
                "Type": "Map",
                "ItemsPath": "$.numbers",
                "MaxConcurrency": 2,
                "ItemSelector": {
                    "index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value", "three.$": "$.three",
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "Small",
                    "States": {
                        "Small": {
                            "Type": "Choice",
                            "Choices": [
                                {"Variable": "$.value", "NumericLessThanPath": "$.three", "Next": "Skip"}
                            ],
                            "Default": "Add",
                        },
                        "Skip": {"Type": "Succeed", "OutputPath": "$.value"},
                        "Add": {
                            "Type": "Pass",
                            "Parameters": {"sum.$": "States.MathAdd($.value, $.index)"},
                            "OutputPath": "$.sum",
                            "End": True,
                        },
                    },
                },
                "ResultPath": "$.each",
                "Next": "Done",
            },
            "Done": {"Type": "Succeed"},
        },
    }


INPUT = {
    "three": 3,
    "numbers": [2, 5, 5, 1],
    "text": "Häuser",
    "left": {"a": 1, "b": [2]},
    "right": {"b": 3},
    "pause": 1,
}


def all_of_the_language_runs(server):
    definition = every_state_type(server.function)
    machine = server.create_machine("everything", definition)
    described = server.sfn.describe_state_machine(stateMachineArn=machine)
    equal(json.loads(described["definition"]), definition, "the definition as it was created")

    name = f"everything-{RUN}"
    arn = server.sfn.start_execution(stateMachineArn=machine, name=name, input=json.dumps(INPUT))["executionArn"]

    # The task waits until its token is answered. A script finds the token in the history.
    def scheduled():
        for event in server.history(arn):
            details = event.get("taskScheduledEventDetails")
            if details and "token" in details["parameters"]:
                return json.loads(details["parameters"])["Payload"]["token"]
        over = server.sfn.describe_execution(executionArn=arn)
        holds(over["status"] == "RUNNING", f"ended before its task token was there: {over}")
        return None

    token = until("the task token", scheduled)
    server.sfn.send_task_heartbeat(taskToken=token)
    refused("InvalidToken", server.sfn.send_task_success, taskToken="no-such-token", output="{}")
    refused("InvalidOutput", server.sfn.send_task_success, taskToken=token, output="{no json")
    server.sfn.send_task_success(taskToken=token, output=json.dumps({"by": "boto3"}))

    seen = server.finished(arn)
    equal(seen["status"], "SUCCEEDED", f"the execution: {seen}")
    equal(json.loads(seen["input"]), INPUT, "the input as it was given")
    refused("TaskTimedOut", server.sfn.send_task_success, taskToken=token, output="{}")

    output = json.loads(seen["output"])
    made = output.pop("made")
    equal(str(uuid.UUID(made.pop("uuid")).version), "4", "the version of States.UUID")
    caught = output.pop("caught")
    equal(caught["Error"], "Host.BadEvent", "the error that Catch saw")
    equal(json.loads(caught["Cause"])["errorType"], "Host.BadEvent", "its cause is what the function answered")
    equal(
        made,
        {
            "array": [1, "two", 3, None, True],
            "partition": [[2, 5], [5, 1]],
            "contains": True,
            "range": [1, 5, 9],
            "item": 5,
            "length": 4,
            "unique": made["unique"],
            "encoded": base64.b64encode("Häuser".encode()).decode(),
            "decoded": "Häuser",
            "hash": hashlib.sha256("Häuser".encode()).hexdigest(),
            "merged": {"a": 1, "b": 3},
            "parsed": {"a": [1, {"b": None}]},
            "printed": '{"a":1,"b":[2]}',
            "random": 5,
            "sum": -7,
            "split": ["51", "raw", "photo"],
            "format": "3 of 4: {Häuser}",
            "name": name,
            "state": "Intrinsics",
        },
        "what the intrinsic functions made",
    )
    equal(sorted(made["unique"]), [1, 2, 5], "States.ArrayUnique, in whatever order")
    equal(
        output,
        {
            **INPUT,
            "health": {"status": "ok", "code": 200},
            "retried": {"status": "ok"},
            "answer": {"by": "boto3"},
            "branches": [{"a": 1, "b": [2]}, "ok"],
            "broken": {"Error": "Branch.Broke", "Cause": "on purpose"},
            "each": [2, 6, 7, 1],
        },
        "the rest of the output",
    )
    its_history_tells_it(server.history(arn))

    failing = server.sfn.start_execution(stateMachineArn=machine, input=json.dumps({"mode": "Mode.Fail"}))
    seen = server.finished(failing["executionArn"])
    equal(
        (seen["status"], seen["error"], seen["cause"]),
        ("FAILED", "Mode.Fail", "Mode.Fail was asked for"),
        "an execution that reaches Fail",
    )
    last = server.history(failing["executionArn"])[-1]
    equal(last["type"], "ExecutionFailed", "its last event")
    equal(last["executionFailedEventDetails"]["error"], "Mode.Fail", "the error in its last event")


def its_history_tells_it(events):
    types = [event["type"] for event in events]
    equal((types[0], types[-1]), ("ExecutionStarted", "ExecutionSucceeded"), "the first and the last event")
    count = types.count
    expected = {
        # A state that ends by a Catch has an exit event like any other; a state that is cut short has none.
        "ChoiceStateEntered": 5, "ChoiceStateExited": 5,
        "PassStateEntered": 4, "PassStateExited": 4,
        "SucceedStateEntered": 3, "SucceedStateExited": 3,
        "FailStateEntered": 1,
        "WaitStateExited": 1,
        "ParallelStateEntered": 2, "ParallelStateStarted": 2, "ParallelStateSucceeded": 1, "ParallelStateFailed": 1,
        "MapStateEntered": 1, "MapStateStarted": 1, "MapStateSucceeded": 1, "MapStateExited": 1,
        "MapIterationStarted": 4, "MapIterationSucceeded": 4,
        "TaskStateEntered": 5, "TaskStateExited": 5,
        # Health, twice SecondTry, three times NeverWell, AskSomebody, Right.
        "TaskScheduled": 8, "TaskStarted": 8, "TaskFailed": 4, "TaskSubmitted": 1, "TaskSucceeded": 4,
    }
    equal({kind: count(kind) for kind in expected}, expected, f"how often each event is in the history {types}")

    holds("mapStateStartedEventDetails" in events[types.index("MapStateStarted")], "the length of a Map is told")
    equal(events[types.index("MapStateStarted")]["mapStateStartedEventDetails"]["length"], 4, "the length of the Map")
    failed = events[types.index("TaskFailed")]["taskFailedEventDetails"]
    equal(
        (failed["resourceType"], failed["resource"], failed["error"]), ("lambda", "invoke", "Host.BadEvent"),
        "how a failed task is told",
    )
    submitted = events[types.index("TaskSubmitted")]["taskSubmittedEventDetails"]
    equal(submitted["resource"], "invoke.waitForTaskToken", "who waits for the token")
    left = [event["stateExitedEventDetails"]["name"] for event in events if "stateExitedEventDetails" in event]
    holds(left.index("Health") < left.index("SecondTry") < left.index("AskSomebody") < left.index("Each"), str(left))
