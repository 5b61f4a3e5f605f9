"""The function that bundled a batch before: zipfile and boto3, as it is commonly written.

It reads one object after the other, writes an archive to /tmp and uploads it. COMPRESSION says how: `deflated`, as it was, or
`stored`, its fastest way. Both write to disk, because an archive in memory did not fit. The loop around it speaks Lambda's
Runtime API.
"""

import http.client
import json
import os
import tempfile
import zipfile

import boto3
from botocore.config import Config

S3 = boto3.client(
    "s3",
    endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"],
    config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
)
BUCKET = os.environ["MEDIA_BUCKET"]
METHOD = {"deflated": zipfile.ZIP_DEFLATED, "stored": zipfile.ZIP_STORED}[os.environ["COMPRESSION"]]


def bundle(listing, kind, assets):
    key = f"{listing}/zip/before/{kind}.zip"
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        with zipfile.ZipFile(file, "w", METHOD) as archive:
            for asset in assets:
                body = S3.get_object(Bucket=BUCKET, Key=asset["key"])["Body"].read()
                archive.writestr(asset["key"].rsplit("/", 1)[1], body)
        file.flush()
        size = file.tell()
        S3.upload_file(file.name, BUCKET, key)
    return {"name": kind, "key": key, "bytes": size, "entries": len(assets)}


def handler(event):
    batch = event["batch"]
    # Without thumbnails, the complete bundle has the same files as the originals.
    return {"bundles": [bundle(batch["listingId"], kind, batch["assets"]) for kind in ("complete", "originals")]}


def main():
    base = "/2018-06-01/runtime"
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", f"{base}/invocation/next")
        answer = api.getresponse()
        request = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.loads(answer.read())
        try:
            path, body = "response", handler(event)
        except Exception as error:  # The Runtime API wants every failure of the handler.
            path, body = "error", {"errorType": type(error).__name__, "errorMessage": str(error)}
        api.request("POST", f"{base}/invocation/{request}/{path}", json.dumps(body))
        api.getresponse().read()


main()
