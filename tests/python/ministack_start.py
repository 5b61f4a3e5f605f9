"""Starts ministack 1.5.33 with four of its ways made AWS's, so that a test does not pass or fail by them.

| ministack | AWS | here |
|---|---|---|
| Branches of a Parallel state share one context object, so `$$.State.Name` of one may be the other's | each has its own | each gets its own |
| An invocation that is throttled fails a task with `Lambda.Unknown` | `Lambda.TooManyRequestsException` | renamed |
| A waiting task whose function failed waits on | the task fails | it fails |
| Nobody may put events of `aws.*` sources, and it has no MediaConvert that would | services do | the test puts them in MediaConvert's name |

One thing is added: while the file that `THROTTLE` names is there, the next invocation is refused as too many and takes the
file away.
"""

import contextlib
import json
import os

from ministack import app
from ministack.services import eventbridge, lambda_svc, stepfunctions


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
            # With a token it is swallowed by whoever called; what fails the task is the token's answer.
            token = event.get("taskToken") if isinstance(event, dict) else None
            waiting = stepfunctions._task_tokens.get(token) if token else None
            if waiting:
                waiting["error"] = {"Error": error.error, "Cause": error.cause}
                waiting["event"].set()
            raise

    stepfunctions._call_lambda = named


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


if __name__ == "__main__":
    branches_have_their_own_context()
    failures_of_functions_have_their_names()
    services_publish_events()
    an_invocation_can_be_throttled()
    app.main()
