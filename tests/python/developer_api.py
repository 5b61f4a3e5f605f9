"""The operations that developers use: tests of states, redrives, versions, aliases, activities, express workflows.

Every answer is compared with botocore's model of the service: it may have no member that the model does not know, must have
every member that the model requires, and each must have its type.
"""

import json
import threading

from server import PATIENCE_S, RUN, equal, holds, refused

ROLE = "arn:aws:iam::000000000000:role/any"
NUMBERS = {"integer", "long", "float", "double", "timestamp"}
TYPES = {"string": str, "boolean": bool, "structure": dict, "map": dict, "list": list}


def check_answer(shape, value, place):
    """Asserts that a value of an answer has the form that the service's model gives."""
    if shape.type_name in NUMBERS:
        holds(isinstance(value, (int, float)) and not isinstance(value, bool), f"{place} is no number: {value!r}")
        return
    holds(isinstance(value, TYPES[shape.type_name]), f"{place} is no {shape.type_name}: {value!r}")
    if shape.type_name == "structure":
        for name in shape.required_members:
            holds(name in value, f"{place}.{name} is missing: {value}")
        for name, inner in value.items():
            holds(name in shape.members, f"{place}.{name} is not in the model")
            check_answer(shape.members[name], inner, f"{place}.{name}")
    elif shape.type_name == "list":
        for at, inner in enumerate(value):
            check_answer(shape.member, inner, f"{place}[{at}]")
    elif shape.type_name == "map":
        for name, inner in value.items():
            check_answer(shape.value, inner, f"{place}[{name!r}]")


def judged(client):
    """Lets botocore's model judge every answer of a client."""

    def judge(http_response, model, **_):
        if http_response.status_code == 200 and model.output_shape is not None:
            check_answer(model.output_shape, json.loads(http_response.content), model.name)

    client.meta.events.register("after-call.stepfunctions", judge)
    return client


def definition(states, **more):
    return json.dumps({"StartAt": next(iter(states)), "States": states, **more})


def the_developers_operations_are_served(server):
    # `sync-` before an address would be no address.
    sfn = judged(server.client("stepfunctions", inject_host_prefix=False))
    states_are_tested(sfn, server.function)
    definitions_are_validated(sfn)
    versions_and_aliases_choose_what_runs(sfn)
    workers_ask_for_tasks(sfn)
    express_workflows_answer(sfn)
    failed_executions_go_on(sfn)


def states_are_tested(sfn, function):
    choice = {
        "Type": "Choice", "Default": "Other",
        "Choices": [{"Variable": "$.n", "NumericGreaterThan": 5, "Next": "Large"}],
    }
    seen = sfn.test_state(definition=json.dumps(choice), input='{"n": 7}', inspectionLevel="TRACE")
    equal((seen["status"], seen["nextState"]), ("SUCCEEDED", "Large"), "a Choice state")
    equal(json.loads(seen["inspectionData"]["afterInputPath"]), {"n": 7}, "its input after InputPath")
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True,
        "Parameters": {"FunctionName": function, "Payload": {"source": "stagehost.health"}},
        "ResultSelector": {"code.$": "$.StatusCode"},
        "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
    }
    test = {"definition": json.dumps(task), "inspectionLevel": "DEBUG"}
    called = sfn.test_state(roleArn=ROLE, **test)
    equal((called["status"], called["output"]), ("SUCCEEDED", '{"code":200}'), "a Task that calls the host")
    busy = sfn.test_state(mock={"errorOutput": {"error": "Busy", "cause": "c"}}, **test)
    equal(busy["status"], "RETRIABLE", "a failure that is retried")
    equal(
        busy["inspectionData"]["errorDetails"], {"retryIndex": 0, "retryBackoffIntervalSeconds": 2}, "what retries it"
    )
    used = sfn.test_state(
        mock={"errorOutput": {"error": "Busy", "cause": "c"}}, stateConfiguration={"retrierRetryCount": 1}, **test
    )
    equal((used["status"], used["nextState"]), ("CAUGHT_ERROR", "Failed"), "a failure whose retries are used up")
    refused("ValidationException", sfn.test_state, mock={"result": "not JSON"}, **test)
    refused("InvalidDefinition", sfn.test_state, definition='{"Type": "Wait", "End": true}')


def definitions_are_validated(sfn):
    good = sfn.validate_state_machine_definition(definition=definition({"A": {"Type": "Succeed"}}))
    equal((good["result"], good["diagnostics"]), ("OK", []), "a definition without faults")
    bad = sfn.validate_state_machine_definition(definition="{")
    equal((bad["result"], bad["diagnostics"][0]["code"]), ("FAIL", "INVALID_JSON_DESCRIPTION"), "half an object")


def versions_and_aliases_choose_what_runs(sfn):
    def giving(value):
        return definition({"A": {"Type": "Pass", "Result": value, "End": True}})

    made = sfn.create_state_machine(name=f"v-{RUN}", definition=giving(1), roleArn=ROLE, publish=True)
    machine, first = made["stateMachineArn"], made["stateMachineVersionArn"]
    second = sfn.update_state_machine(stateMachineArn=machine, definition=giving(2), publish=True)["stateMachineVersionArn"]
    alias = sfn.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": first, "weight": 100}]
    )["stateMachineAliasArn"]
    route = [{"stateMachineVersionArn": second, "weight": 100}]
    sfn.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=route)
    equal(sfn.describe_state_machine_alias(stateMachineAliasArn=alias)["routingConfiguration"], route, "the route")
    for arn, output in ((first, "1"), (second, "2"), (alias, "2")):
        execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
        equal(ended(sfn, execution)["output"], output, f"the output of {arn}")
    versions = sfn.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    equal([version["stateMachineVersionArn"] for version in versions], [second, first], "the versions, newest first")
    sfn.describe_state_machine(stateMachineArn=second)
    refused("ConflictException", sfn.delete_state_machine_version, stateMachineVersionArn=second)
    equal(len(sfn.list_state_machine_aliases(stateMachineArn=machine)["stateMachineAliases"]), 1, "the aliases")
    sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
    sfn.delete_state_machine_version(stateMachineVersionArn=second)
    sfn.delete_state_machine(stateMachineArn=machine)


def ended(sfn, execution):
    """Waits for the end of an execution. Returns its description."""
    done = threading.Event()
    for _ in range(PATIENCE_S * 10):
        seen = sfn.describe_execution(executionArn=execution)
        if seen["status"] != "RUNNING":
            return seen
        done.wait(0.1)
    raise AssertionError(f"{execution} runs on")


def workers_ask_for_tasks(sfn):
    activity = sfn.create_activity(name=f"work-{RUN}", tags=[{"key": "a", "value": "1"}])["activityArn"]
    equal(sfn.list_tags_for_resource(resourceArn=activity)["tags"], [{"key": "a", "value": "1"}], "an activity's tags")
    sfn.describe_activity(activityArn=activity)
    holds(sfn.list_activities()["activities"], "the activities")
    states = {"Work": {"Type": "Task", "Resource": activity, "HeartbeatSeconds": 60, "End": True}}
    machine = sfn.create_state_machine(name=f"a-{RUN}", definition=definition(states), roleArn=ROLE)["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=machine, input='{"a":1}')["executionArn"]
    task = sfn.get_activity_task(activityArn=activity, workerName="w")
    equal(task["input"], '{"a":1}', "the task's input")
    sfn.send_task_heartbeat(taskToken=task["taskToken"])
    sfn.send_task_success(taskToken=task["taskToken"], output="[1]")
    equal(ended(sfn, execution)["output"], "[1]", "the worker's answer")
    types = [event["type"] for event in sfn.get_execution_history(executionArn=execution)["events"]]
    equal(types[2:5], ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"], "the events of an activity")
    sfn.delete_activity(activityArn=activity)
    refused("ActivityDoesNotExist", sfn.get_activity_task, activityArn=activity)


def express_workflows_answer(sfn):
    states = {"A": {"Type": "Pass", "Result": {"b": 2}, "End": True}}
    machine = sfn.create_state_machine(
        name=f"e-{RUN}", definition=definition(states), roleArn=ROLE, type="EXPRESS"
    )["stateMachineArn"]
    seen = sfn.start_sync_execution(stateMachineArn=machine, input="{}")
    equal((seen["status"], seen["output"]), ("SUCCEEDED", '{"b":2}'), "a synchronous execution")
    started = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    refused("InvalidArn", sfn.describe_execution, executionArn=started)
    refused("StateMachineTypeNotSupported", sfn.list_executions, stateMachineArn=machine)


def failed_executions_go_on(sfn):
    # It is stopped in its first state; the redrive goes on there.
    states = {
        "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Work"},
        "Work": {"Type": "Pass", "Parameters": {"redrives.$": "$$.Execution.RedriveCount"}, "End": True},
    }
    machine = sfn.create_state_machine(name=f"r-{RUN}", definition=definition(states), roleArn=ROLE)["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    sfn.stop_execution(executionArn=execution)
    equal(ended(sfn, execution)["redriveStatus"], "REDRIVABLE", "a stopped execution")
    sfn.redrive_execution(executionArn=execution)
    seen = ended(sfn, execution)
    equal((seen["status"], seen["output"], seen["redriveCount"]), ("SUCCEEDED", '{"redrives":1}', 1), "a redriven execution")
    types = [event["type"] for event in sfn.get_execution_history(executionArn=execution)["events"]]
    holds("ExecutionRedriven" in types, f"the event of a redrive: {types}")
    refused("ExecutionNotRedrivable", sfn.redrive_execution, executionArn=execution)
