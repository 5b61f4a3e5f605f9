"""The operations of MediaConvert's API that the host calls. It transcodes nothing: the test decides how each job ends."""

import http.server
import json
import threading

from ministack_server import ACCOUNT, REGION
from server import until


class Transcoder:
    def __init__(self):
        transcoder = self
        self.jobs, self.tokens = {}, {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(201, {"job": transcoder.created(wanted)})

            def do_GET(self):
                """ListJobs, or GetJob with an id."""
                path, id = self.path.partition("?")[0], self.path.partition("?")[0].rsplit("/", 1)[1]
                if path.endswith("/jobs"):
                    self.answer(200, {"jobs": list(transcoder.jobs.values())[::-1]})
                elif id in transcoder.jobs:
                    self.answer(200, {"job": transcoder.jobs[id]})
                else:
                    self.answer(404, {"message": "no such job"})

            def do_DELETE(self):
                """CancelJob."""
                transcoder.jobs[self.path.rsplit("/", 1)[1]]["status"] = "CANCELED"
                self.answer(202, {})

            def answer(self, status, document):
                answer = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def created(self, wanted):
        """CreateJob. The same request token returns the same job."""
        token = wanted["clientRequestToken"]
        job = self.tokens.setdefault(token, {
            **wanted, "id": f"1767312000000-{len(self.tokens):06}", "status": "SUBMITTED",
            "arn": f"arn:aws:mediaconvert:{REGION}:{ACCOUNT}:jobs/1767312000000-{len(self.tokens):06}",
        })
        self.jobs[job["id"]] = job
        return job

    def job_of(self, listing):
        """Waits for the job of a listing's video. Returns it."""
        def look():
            return next((j for j in self.jobs.values() if j["userMetadata"]["listing"] == str(listing)), None)
        return until(f"a job of listing {listing}", look)


def outputs(job):
    """Returns bucket and key of every output of a job."""
    for group in job["settings"]["outputGroups"]:
        destination = group["outputGroupSettings"]["fileGroupSettings"]["destination"]
        bucket, _, base = destination.removeprefix("s3://").partition("/")
        for output in group["outputs"]:
            yield bucket, f"{base}{output.get('nameModifier', '')}.{output['extension']}"


def event(job, status, **more):
    """Returns the event of MediaConvert for a job's change."""
    detail = {
        "timestamp": 1767312000000, "accountId": ACCOUNT, "queue": job["queue"], "jobId": job["id"], "status": status,
        "userMetadata": job["userMetadata"], **more,
    }
    return {"Source": "aws.mediaconvert", "DetailType": "MediaConvert Job State Change", "Detail": json.dumps(detail),
            "Resources": [job["arn"]]}
