"""Checks requests of MediaConvert's CreateJob against the model of the service that botocore ships.

python mediaconvert_model.py REQUESTS.json: a list of request bodies, as the SDK sends them. Prints every violation with its
path, and exits with 1 if there is one. botocore itself checks types and required members; the model says more, and all of it
is checked here: unknown members, words of enumerations, ranges of numbers, lengths and patterns of texts.
"""

import json
import re
import sys

import botocore.session

MODEL = botocore.session.get_session().get_service_model("mediaconvert")


def violations(path, value, shape):
    """Yields what is wrong with a value of this shape."""
    limits = shape.metadata
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            yield f"{path}: not an object"
            return
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        required = [shape.members[name].serialization.get("name", name) for name in shape.required_members]
        yield from (f"{path}/{name}: is required" for name in required if name not in value)
        for name, inner in value.items():
            if name not in members:
                yield f"{path}/{name}: no such member"
            else:
                yield from violations(f"{path}/{name}", inner, members[name])
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            yield from violations(f"{path}/{index}", inner, shape.member)
    elif shape.type_name == "map":
        for name, inner in value.items():
            yield from violations(f"{path}/{name}", inner, shape.value)
    elif shape.type_name == "string":
        if not isinstance(value, str):
            yield f"{path}: not a text: {value!r}"
            return
        if shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is none of {shape.enum}"
        if not limits.get("min", 0) <= len(value) <= limits.get("max", sys.maxsize):
            yield f"{path}: a text of {len(value)} characters"
        if "pattern" in limits and not re.search(limits["pattern"], value):
            yield f"{path}: {value!r} does not match {limits['pattern']}"
    elif shape.type_name in ("integer", "long", "double", "float"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield f"{path}: not a number: {value!r}"
        elif not limits.get("min", value) <= value <= limits.get("max", value):
            yield f"{path}: {value} is not from {limits.get('min')} to {limits.get('max')}"


def main():
    shape = MODEL.operation_model("CreateJob").input_shape
    with open(sys.argv[1], encoding="utf-8") as file:
        requests = json.load(file)
    if not requests:
        sys.exit("no requests")
    # A check that finds nothing wrong in a wrong request would be none.
    wrong = json.loads(json.dumps(requests[0]))
    wrong["settings"]["inputs"][0]["videoSelector"]["rotate"] = "SIDEWAYS"
    wrong["settings"]["outputGroups"][0]["outputs"][0]["videoDescription"]["width"] = 31
    wrong["settings"]["unknown"] = 1
    found = sorted(text.split(":")[0].rsplit("/", 1)[-1] for text in violations("", wrong, shape))
    if found != ["rotate", "unknown", "width"]:
        sys.exit(f"the check itself finds {found}")
    problems = [text for request in requests for text in violations("", request, shape)]
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


main()
