"""Drives `stagehost serve` as a backend team would: with boto3 alone.

    drive_serve.py ADDRESS_FILE SAMPLES

ADDRESS_FILE holds the JSON line that `stagehost serve --json` prints, SAMPLES is the folder of the sample listing.
Every section asserts what AWS itself would have answered; the exit code is 1 if one fails. Each run uses a listing and
names of its own, so it can be repeated against one server.
"""

import hashlib
import io
import json
import os
import struct
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
import uuid
import zipfile
from pathlib import Path

from boto3.s3.transfer import TransferConfig

from developer_api import the_developers_operations_are_served
from language import all_of_the_language_runs
from server import RUN, Server, equal, holds, refused, until


def machines_that_cannot_run_are_refused(server):
    dangling = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Nowhere"}}}
    error = refused(
        "InvalidDefinition", server.sfn.create_state_machine, name=f"dangling-{RUN}", definition=json.dumps(dangling),
        roleArn="arn:aws:iam::000000000000:role/any",
    )
    holds("Nowhere" in str(error), f"the state that is missing is named: {error}")
    refused(
        "StateMachineDoesNotExist", server.sfn.start_execution,
        stateMachineArn="arn:aws:states:us-east-1:000000000000:stateMachine:nobody",
    )
    refused("InvalidExecutionInput", server.sfn.start_execution, stateMachineArn=server.machine, input="{")


def an_execution_is_stopped_and_listed(server):
    machine = server.create_machine(
        "sleeper", {"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": 86400, "End": True}}}
    )
    arns = [server.sfn.start_execution(stateMachineArn=machine, name=f"s{i}")["executionArn"] for i in range(3)]
    stopped = server.sfn.stop_execution(executionArn=arns[1], error="Person.Bored", cause="it sleeps")
    holds(stopped["stopDate"], "StopExecution tells when")
    seen = server.finished(arns[1])
    equal((seen["status"], seen["error"], seen["cause"]), ("ABORTED", "Person.Bored", "it sleeps"), "what was stopped")
    equal(server.history(arns[1])[-1]["type"], "ExecutionAborted", "its last event")

    def listed(**only):
        pages = server.sfn.get_paginator("list_executions").paginate(
            stateMachineArn=machine, PaginationConfig={"PageSize": 1}, **only
        )
        return [execution["name"] for page in pages for execution in page["executions"]]

    equal(sorted(listed()), ["s0", "s1", "s2"], "all executions, page by page")
    equal(sorted(listed(statusFilter="RUNNING")), ["s0", "s2"], "those that run")
    equal(listed(statusFilter="ABORTED"), ["s1"], "those that were stopped")
    for arn in (arns[0], arns[2]):
        server.sfn.stop_execution(executionArn=arn)


def media_type(name):
    if name.endswith(".pdf"):
        return "project/doc"
    side = "vertical" if name.startswith("staircase") else "horizontal"
    return f"{'video' if name.endswith('.mp4') else 'photo'}/{side}"


def the_listing_is_uploaded(server, samples, listing):
    """Uploads the samples as a backend does. Returns their keys by name."""
    keys = {}
    for file in sorted(samples.iterdir()):
        key = f"{listing}/raw/{media_type(file.name)}/2026-01-31/{file.name}"
        body = file.read_bytes()
        put = server.s3.put_object(Bucket=server.bucket, Key=key, Body=body)
        etag = hashlib.md5(body).hexdigest()
        equal(put["ETag"], f'"{etag}"', f"the ETag of {key}")
        head = server.s3.head_object(Bucket=server.bucket, Key=key)
        equal((head["ContentLength"], head["ETag"]), (len(body), f'"{etag}"'), f"the head of {key}")
        keys[file.name] = key
    pages = server.s3.get_paginator("list_objects_v2").paginate(
        Bucket=server.bucket, Prefix=f"{listing}/raw/", PaginationConfig={"PageSize": 5}
    )
    listed = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    equal(listed, sorted(keys.values()), "the listing's keys, page by page, in order")
    refused("404", server.s3.head_object, Bucket=server.bucket, Key=f"{listing}/raw/photo/vertical/nothing.jpg")
    refused("NoSuchKey", server.s3.get_object, Bucket=server.bucket, Key=f"{listing}/raw/photo/vertical/nothing.jpg")
    return keys


def a_large_file_goes_up_in_parts(server, listing):
    mib = 1 << 20
    body = os.urandom(11 * mib)
    key = f"{listing}/raw/project/doc/2026-01-31/large.bin"
    with tempfile.TemporaryDirectory() as folder:
        source, back = Path(folder, "large.bin"), Path(folder, "back.bin")
        source.write_bytes(body)
        parts = TransferConfig(multipart_threshold=5 * mib, multipart_chunksize=5 * mib)
        server.s3.upload_file(str(source), server.bucket, key, Config=parts, ExtraArgs={"ContentType": "text/x-large"})
        server.s3.download_file(server.bucket, key, str(back), Config=parts)
        holds(back.read_bytes() == body, "a file that went up in parts comes back as it was")
    digests = b"".join(hashlib.md5(body[at : at + 5 * mib]).digest() for at in range(0, len(body), 5 * mib))
    head = server.s3.head_object(Bucket=server.bucket, Key=key)
    equal(head["ETag"], f'"{hashlib.md5(digests).hexdigest()}-3"', "the ETag of three parts")
    equal(head["ContentType"], "text/x-large", "the type that the uploader gave")
    part = server.s3.get_object(Bucket=server.bucket, Key=key, Range="bytes=5242870-5242889")
    equal(part["Body"].read(), body[5242870:5242890], "a range over the border of two parts")
    server.s3.delete_object(Bucket=server.bucket, Key=key)


def jpeg_size(data):
    """Reads width and height from a JPEG's frame header."""
    equal(data[:2], b"\xff\xd8", "the first bytes of a JPEG")
    at = 2
    while at + 9 < len(data):
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    raise AssertionError("a JPEG without a frame header")


def a_batch_goes_through_by_start_execution_alone(server, samples, keys, listing):
    # Only one of the two videos, because transcoding takes most of the time.
    names = [name for name in keys if name != "walk-through.mp4"]
    batch = {
        "jobId": 4, "batchId": "b-5", "listingIdentityId": listing, "retry": 0,
        "assets": [{"key": keys[name]} for name in names],
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    name = f"batch-{RUN}"
    start = {"stateMachineArn": server.machine, "name": name, "input": json.dumps(batch)}
    arn = server.sfn.start_execution(**start)["executionArn"]
    equal(server.sfn.start_execution(**start)["executionArn"], arn, "the same start once more is the same execution")
    refused(
        "ExecutionAlreadyExists", server.sfn.start_execution,
        stateMachineArn=server.machine, name=name, input=json.dumps({**batch, "jobId": 5}),
    )

    seen = server.finished(arn)
    equal(seen["status"], "SUCCEEDED", f"the execution: {seen}")
    refused("ExecutionAlreadyExists", server.sfn.start_execution, **{**start, "input": "{}"})
    listed = [e["name"] for e in server.sfn.list_executions(stateMachineArn=server.machine)["executions"]]
    equal(listed.count(name), 1, f"executions of that name in {listed}")
    types = [event["type"] for event in server.history(arn)]
    equal(types.count("ExecutionStarted"), 1, "starts in the history")

    # The callback, as the server's reference receiver has it.
    with urllib.request.urlopen(f"{server.endpoint}/internal/media-processing/callbacks") as answer:
        callbacks = json.load(answer)
    callbacks = callbacks if isinstance(callbacks, list) else callbacks.get("callbacks", callbacks.get("rows"))
    told = [entry for entry in callbacks if arn in json.dumps(entry)]
    equal(len(told), 1, f"callbacks of this execution among {callbacks}")

    folder = f"{listing}/thumb/"
    thumbnails = {}
    for page in server.s3.get_paginator("list_objects_v2").paginate(Bucket=server.bucket, Prefix=folder):
        for entry in page.get("Contents", []):
            thumbnails[entry["Key"]] = server.s3.get_object(Bucket=server.bucket, Key=entry["Key"])["Body"].read()
    photos = [n for n in names if media_type(n).startswith("photo") and n != "kitchen-damaged.jpg"]
    for name in photos:
        stem = keys[name].replace("/raw/", "/thumb/").rsplit(".", 1)[0]
        for box in ("320x240", "640x480", "1280x960"):
            key = f"{stem}_{box}.jpg"
            holds(key in thumbnails, f"{key} is not among {sorted(thumbnails)}")
            width, height = jpeg_size(thumbnails[key])
            most_wide, most_high = map(int, box.split("x"))
            holds(0 < width <= most_wide and 0 < height <= most_high, f"{key} is {width}x{height}")
            holds(b"Exif\0" not in thumbnails[key], f"{key} still has EXIF metadata")
    equal(len(thumbnails), 3 * len(photos), "thumbnails, and nothing else beside them")

    bundles = {}
    for entry in server.s3.list_objects_v2(Bucket=server.bucket, Prefix=f"{listing}/zip/")["Contents"]:
        body = server.s3.get_object(Bucket=server.bucket, Key=entry["Key"])["Body"].read()
        bundles[entry["Key"].rsplit("/", 1)[1]] = archive = zipfile.ZipFile(io.BytesIO(body))
        equal(archive.testzip(), None, f"the first broken entry of {entry['Key']}")
    equal(sorted(bundles), ["complete.zip", "originals.zip", "thumbnails.zip"], "the archives")
    originals = {entry.rsplit("/", 1)[-1]: bundles["originals.zip"].read(entry) for entry in bundles["originals.zip"].namelist()}
    good = {name: (samples / name).read_bytes() for name in names if name != "kitchen-damaged.jpg"}
    holds(originals == good, f"the originals, byte by byte: {sorted(originals)} for {sorted(good)}")
    equal(len(bundles["thumbnails.zip"].namelist()), len(thumbnails), "entries of thumbnails.zip")
    video = f"{listing}/processed/video/vertical/2026-01-31/staircase_720p.mp4"
    holds(server.s3.head_object(Bucket=server.bucket, Key=video)["ContentLength"] > 10_000, f"{video} is there")


def a_video_is_transcoded_by_a_job(server, keys, listing):
    source = keys["walk-through.mp4"]
    target = f"{listing}/processed/video/horizontal/2026-01-31/by-hand"
    created = server.mediaconvert.create_job(
        Role="arn:aws:iam::000000000000:role/any",
        ClientRequestToken=f"by-hand-{RUN}",
        UserMetadata={"asked-by": "boto3"},
        Settings={
            "Inputs": [{"FileInput": f"s3://{server.bucket}/{source}", "VideoSelector": {"Rotate": "AUTO"}}],
            "OutputGroups": [{
                "Name": "File Group",
                "OutputGroupSettings": {
                    "Type": "FILE_GROUP_SETTINGS",
                    "FileGroupSettings": {"Destination": f"s3://{server.bucket}/{target}"},
                },
                "Outputs": [{
                    "NameModifier": "_360p",
                    "Extension": "mp4",
                    "ContainerSettings": {"Container": "MP4"},
                    "VideoDescription": {
                        "Width": 640, "Height": 360,
                        "CodecSettings": {
                            "Codec": "H_264",
                            "H264Settings": {"RateControlMode": "QVBR", "MaxBitrate": 800_000},
                        },
                    },
                }],
            }],
        },
    )["Job"]
    holds(created["Status"] in ("SUBMITTED", "PROGRESSING", "COMPLETE"), f"a new job: {created}")
    job = until(
        f"the end of job {created['Id']}",
        lambda: (seen := server.mediaconvert.get_job(Id=created["Id"])["Job"])["Status"] in
        ("COMPLETE", "ERROR", "CANCELED") and seen,
    )
    equal(job["Status"], "COMPLETE", f"the job: {job}")
    equal(job["UserMetadata"], {"asked-by": "boto3"}, "what the caller wrote on the job")
    video = server.s3.get_object(Bucket=server.bucket, Key=f"{target}_360p.mp4")["Body"].read()
    equal(video[4:8], b"ftyp", "the first box of an MP4")
    refused("NotFoundException", server.mediaconvert.get_job, Id="1700000000000-nobody")


def a_page_uploads_by_a_form_with_a_policy(server, samples, listing):
    photo = (samples / "kitchen.jpg").read_bytes()
    key = f"{listing}/raw/photo/horizontal/2026-01-31/by-form.jpg"
    page = {"Origin": "http://localhost:5173"}

    def send(data, body):
        form = server.s3.generate_presigned_post(
            server.bucket, key, Fields={"Content-Type": "image/jpeg"},
            Conditions=[{"Content-Type": "image/jpeg"}, ["content-length-range", 1, data]],
        )
        boundary = f"form-{RUN}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in form["fields"].items()
        ]
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        whole = b"".join(parts) + head.encode() + body + f"\r\n--{boundary}--\r\n".encode()
        request = urllib.request.Request(
            form["url"], whole, {**page, "Content-Type": f"multipart/form-data; boundary={boundary}"}, method="POST"
        )
        try:
            answer = urllib.request.urlopen(request)
            return answer.status, answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.headers

    asked = urllib.request.Request(
        server.s3.meta.endpoint_url + f"/{server.bucket}/{key}", method="OPTIONS",
        headers={**page, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"},
    )
    preflight = urllib.request.urlopen(asked)
    equal(preflight.headers["Access-Control-Allow-Origin"], page["Origin"], "the page that may upload")

    status, headers = send(10_000_000, photo)
    holds(status in (200, 204), f"a form within its policy is accepted: {status}")
    equal(headers["Access-Control-Allow-Origin"], page["Origin"], "the page that may read the answer")
    equal(server.s3.get_object(Bucket=server.bucket, Key=key)["Body"].read(), photo, "what the page uploaded")
    status, _ = send(10, photo)
    holds(400 <= status < 500, f"a file larger than the policy allows is refused: {status}")


def the_host_is_a_function(server):
    answer = server.functions.invoke(FunctionName=server.function, Payload=b'{"source":"stagehost.health"}')
    equal((answer["StatusCode"], "FunctionError" in answer), (200, False), "a healthy answer")
    equal(json.load(answer["Payload"])["status"], "ok", "the health of the host")
    for payload in (b'{"hello":"world"}', b'{"state":"GenerateThumbnails"}', b"[1]"):
        answer = server.functions.invoke(FunctionName=server.function, Payload=payload)
        equal((answer["StatusCode"], answer.get("FunctionError")), (200, "Unhandled"), f"the answer to {payload}")
        equal(json.load(answer["Payload"])["errorType"], "Host.BadEvent", f"the error for {payload}")
    refused("InvalidRequestContentException", server.functions.invoke, FunctionName=server.function, Payload=b"{")
    refused("ResourceNotFoundException", server.functions.invoke, FunctionName="nobody", Payload=b"{}")


def main(address, samples):
    server = Server(json.loads(Path(address).read_text()))
    samples = Path(samples)
    # A number of this run.
    listing = 100_000 + uuid.uuid4().int % 900_000
    keys = {}
    sections = [
        ("the host is a function", lambda: the_host_is_a_function(server)),
        ("machines that cannot run are refused", lambda: machines_that_cannot_run_are_refused(server)),
        ("all of the language runs", lambda: all_of_the_language_runs(server)),
        ("the developers' operations are served", lambda: the_developers_operations_are_served(server)),
        ("an execution is stopped and listed", lambda: an_execution_is_stopped_and_listed(server)),
        ("the listing is uploaded", lambda: keys.update(the_listing_is_uploaded(server, samples, listing))),
        ("a page uploads by a form with a policy", lambda: a_page_uploads_by_a_form_with_a_policy(server, samples, listing)),
        ("a large file goes up in parts", lambda: a_large_file_goes_up_in_parts(server, listing)),
        ("a video is transcoded by a job", lambda: a_video_is_transcoded_by_a_job(server, keys, listing)),
        (
            "a batch goes through by StartExecution alone",
            lambda: a_batch_goes_through_by_start_execution_alone(server, samples, keys, listing),
        ),
    ]
    failed = []
    for name, section in sections:
        begun = time.monotonic()
        try:
            section()
        except Exception:  # Every section is told, so that one run shows all that is wrong.
            failed.append(name)
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
        else:
            print(f"ok {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
