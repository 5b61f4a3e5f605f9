"""Starts ministack 1.5.33 with seven corrections towards AWS, so that tests do not depend on these differences.

| ministack | AWS | here |
|---|---|---|
| Branches share one context object, so `$$.State.Name` of one may be the other's | each has its own | as on AWS |
| A throttled invocation fails a task with `Lambda.Unknown` | `Lambda.TooManyRequestsException` | as on AWS |
| A waiting task goes on waiting when its function has failed | the task fails | as on AWS |
| A policy that denies plain HTTP denies every request over loopback | endpoints use TLS | loopback counts as TLS |
| Answering a waiting task needs the right for `*` | for the state machine, as the CDK grants it | as on AWS |
| A batch request to SQS needs a right of its own name | the right for single messages counts | as on AWS |
| Nobody may put events of `aws.*` | services may | the test may, in place of MediaConvert |

Two things are added. If the file that `THROTTLE` names exists, the next invocation is throttled and the file is removed. The
role that `INSTANCE_ROLE` names has the credentials of `INSTANCE` in ministack_server.py, as on an EC2 instance.
"""

import contextlib
import json
import os
import threading

from ministack import app
from ministack.core import iam_actions
from ministack.services import eventbridge, lambda_svc, stepfunctions, sts

from ministack_server import ACCOUNT, INSTANCE


def branches_have_their_own_context():
    shared = stepfunctions._run_sub_machine
    stepfunctions._run_sub_machine = lambda states, start, data, execution, context: shared(
        states, start, data, execution, dict(context)
    )


def failures_of_functions_have_their_names():
    call = stepfunctions._call_lambda

    def named(function, event):
        try:
            return call(function, event)
        except stepfunctions._ExecutionError as error:
            with contextlib.suppress(ValueError, AttributeError):
                if json.loads(error.cause).get("__type") == "TooManyRequestsException":
                    error.error = "Lambda.TooManyRequestsException"
            # For a task with a token the caller ignores it, and only the token's answer fails the task.
            token = event.get("taskToken") if isinstance(event, dict) else None
            waiting = stepfunctions._task_tokens.get(token) if token else None
            if waiting:
                waiting["error"] = {"Error": error.error, "Cause": error.cause}
                waiting["event"].set()
            raise

    stepfunctions._call_lambda = named


def loopback_counts_as_tls():
    pin = app.pin_request_origin
    app.pin_request_origin = lambda address, secure: pin(address, True)


def a_task_token_belongs_to_its_state_machine():
    execute, wait, find = stepfunctions._execute_task, stepfunctions._invoke_with_callback, iam_actions.extract_resource_arn
    current, machines = threading.local(), {}

    def executing(state, data, execution, context):
        current.machine = execution["stateMachineArn"]
        return execute(state, data, execution, context)

    def waiting(resource, data, token, state):
        machines[token] = current.machine
        return wait(resource, data, token, state)

    def found(service, method, path, headers, body, *more):
        if service == "states" and b'"taskToken"' in body:
            return machines.get(json.loads(body)["taskToken"], "*")
        return find(service, method, path, headers, body, *more)

    stepfunctions._execute_task, stepfunctions._invoke_with_callback = executing, waiting
    iam_actions.extract_resource_arn = found


def batches_of_messages_need_no_right_of_their_own():
    named = iam_actions.extract_iam_action

    def single(service, *request):
        action = named(service, *request)
        return action.removesuffix("Batch") if action and service == "sqs" else action

    iam_actions.extract_iam_action = single


def services_publish_events():
    put = eventbridge._put_events
    eventbridge._put_events = lambda data, allow_aws_source=True: put(data, allow_aws_source=True)


def an_invocation_can_be_throttled():
    place, acquire = os.environ.get("THROTTLE"), lambda_svc._acquire_execution_slot

    def refused(function, configuration):
        if place:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)
                return None, "function"
        return acquire(function, configuration)

    lambda_svc._acquire_execution_slot = refused


def an_instance_has_a_role():
    if role := os.environ.get("INSTANCE_ROLE"):
        sts.register_session(INSTANCE["aws_access_key_id"], {
            "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/i-0123456789abcdef0",
            "UserId": f"{role}:i-0123456789abcdef0",
            "SecretAccessKey": INSTANCE["aws_secret_access_key"], "SessionToken": INSTANCE["aws_session_token"],
        })


if __name__ == "__main__":
    branches_have_their_own_context()
    failures_of_functions_have_their_names()
    loopback_counts_as_tls()
    a_task_token_belongs_to_its_state_machine()
    batches_of_messages_need_no_right_of_their_own()
    services_publish_events()
    an_invocation_can_be_throttled()
    an_instance_has_a_role()
    app.main()
