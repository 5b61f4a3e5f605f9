"""Where moto 5.2 and ministack 1.5 differ from the project's interpreter, and why. Read by engines.py."""

import collections

# What is compared of an execution: how it ends; its output, or the input of its last state; the order of the states; the
# function's payloads; whether each call has its own task token; the messages in the dead-letter queue.
ASPECTS = ("end", "output", "states", "calls", "tokens", "messages")

Difference = collections.namedtuple("Difference", "engine aspects scenarios reason")

NO_BATCH = "an answer that is no batch ends the execution at once"
TOO_LARGE = "an answer that is too large is the failure of its state and the backend is told"
TOKEN_RETRIED = [
    "every passing fault on the way to success is waited out",
    "a function that dies twice on the way to success is called again",
    "a passing failure by the token starts the videos anew with a new token",
    "photos without the Lambda service and failing videos give up",
    "deadly photos and videos without the Lambda service give up",
    "failing photos and deadly videos give up",
]
HEARTBEAT = [
    "a submission of videos that never returns is given up when no heartbeat comes",
    "videos of which nobody hears are given up when no heartbeat comes",
    "videos that make progress are waited for",
    "videos that wait an hour in the transcoders queue are kept alive by the sweep",
]

DIFFERENCES = [
    Difference(
        "moto", ["tokens"], TOKEN_RETRIED,
        "It makes one token for all attempts of a state; the service makes a new one for each attempt.",
    ),
    Difference(
        "moto", ["end", "output", "states", "calls"], [NO_BATCH],
        "A path in a Choice state without a value does not match there; the service fails with States.Runtime.",
    ),
    Difference(
        "moto", ["output", "calls"],
        ["a failure that comes by the token is the videos' failure",
         "a branch of videos without its net is caught by the next one"],
        "It loses the cause that SendTaskFailure gives.",
    ),
    Difference(
        "ministack", ["tokens"], TOKEN_RETRIED,
        "It makes one token for all attempts of a state; the service makes a new one for each attempt.",
    ),
    Difference(
        "ministack", ["end", "output", "states", "calls"], [NO_BATCH],
        "A path in a Choice state without a value does not match there; the service fails with States.Runtime.",
    ),
    Difference(
        "ministack", ["end", "output", "states", "calls"], [TOO_LARGE],
        "It has no limit for payloads between states; the service's is 256 KiB.",
    ),
    Difference(
        "ministack", ["output", "messages"], ["a queue that stays down loses the result and the execution says so"],
        "A queue can fail there only by being absent, with another error and without a message.",
    ),
]

# Each state is called up to sixty times in a row, and these engines wait between two calls.
THROTTLED = [
    "a burst is waited out by every state on the way to success",
    "a burst is waited out while an invalid batch is reported",
    "a burst is waited out while a failure is reported",
    "a burst without an end: validation and its report give up",
    "a burst without an end: photos and videos give up",
    "a burst without an end: the archives give up",
    "a burst without an end: the callback gives up",
    "a burst without an end: the report of an invalid batch gives up",
]

# Scenarios that an engine cannot run, and why.
NOT_RUN = {
    "moto": {
        "a submission of videos that never returns is given up when no heartbeat comes":
            "It checks no timeout while a call with a token is running: the execution would never end.",
        "videos that are all up to date end their state before the call returns":
            "It sees an answer that comes before the call returns only when the first heartbeat is due.",
        **dict.fromkeys(THROTTLED, "It waits in real time, minutes for each of these."),
    },
    "ministack": {
        **dict.fromkeys(HEARTBEAT, "It ignores HeartbeatSeconds."),
        **dict.fromkeys(THROTTLED, "It waits in real time, minutes for each of these."),
        "a queue that never answers is given up after seven minutes of it": "Its queue always answers.",
        "a queue that is down for a while gets the result all the same": "Its queue either exists or does not.",
    },
}
