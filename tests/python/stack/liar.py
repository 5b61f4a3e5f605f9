"""A door to ministack that tells some answers otherwise, so that what asks them finds its expectations broken."""

import http.client
import http.server
import json
import re
import threading

LISTING = re.compile(r"listing-(\d+)_")


class Liar:
    """Forwards requests. `lies` are functions of the request and the answer, one for each broken expectation."""

    def __init__(self, endpoint, *lies):
        door, server = self, endpoint.removeprefix("http://")
        self.first, self.lies = None, lies

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self):
                self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.operation = self.headers.get("X-Amz-Target", "").rsplit(".", 1)[-1]
                # The signature covers the Host header, so it stays as it is.
                there = http.client.HTTPConnection(server, timeout=300)
                there.request(self.command, self.path, self.body, dict(self.headers))
                answer = there.getresponse()
                told = Told(answer.status, answer.read(), answer.getheaders())
                there.close()
                for lie in door.lies:
                    lie(door, self, told)
                self.send_response(told.status)
                for name, value in told.headers:
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                        self.send_header(name, value)
                length = told.header("Content-Length") if self.command == "HEAD" else len(told.body)
                self.send_header("Content-Length", str(length or 0))
                self.end_headers()
                self.wfile.write(told.body)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = forward

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def is_listing(self, text, number):
        """Returns whether a text is about the listing of this number in the run; the first one has the smallest number."""
        found = LISTING.search(text)
        if found and (self.first is None or int(found[1]) < self.first):
            self.first = int(found[1])
        return bool(self.first) and str(self.first + number) in text


class Told:
    def __init__(self, status, body, headers):
        self.status, self.body, self.headers = status, body, headers

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def change(self, change):
        document = json.loads(self.body)
        self.body = json.dumps(change(document) or document).encode()


def the_first_execution_failed(door, request, told):
    if request.operation == "DescribeExecution" and door.is_listing(request.body.decode(), 0):
        told.change(lambda it: {**it, "status": "FAILED"} if it.get("status") == "SUCCEEDED" else it)


def the_damaged_file_is_not_counted(door, request, told):
    if request.operation == "DescribeExecution" and door.is_listing(request.body.decode(), 1):
        told.body = re.sub(rb'(\\"failed\\": ?)1', rb"\g<1>0", told.body)


def nobody_told_the_backend(door, request, told):
    if request.operation == "GetExecutionHistory" and door.is_listing(request.body.decode(), 2):
        told.body = told.body.replace(b"ReportValidationFailed", b"SomethingElse")


def there_are_no_thumbnails(door, request, told):
    if request.command == "HEAD" and door.first and f"/{door.first}/thumb/" in request.path:
        told.status, told.body = 404, b""


def uploads_have_another_tag(door, request, told):
    if request.command == "GET" and "tagging" in request.path and door.first and f"/{door.first + 1}/" in request.path:
        told.body = told.body.replace(b"<Value>raw</Value>", b"<Value>other</Value>")


def nothing_is_logged(_door, request, told):
    if request.operation == "FilterLogEvents":
        told.change(lambda it: {**it, "events": []})


def no_dead_letters(_door, request, told):
    if request.operation == "ReceiveMessage":
        told.body = b"{}"


def nothing_can_be_deleted(_door, request, told):
    if request.command == "DELETE":
        told.status, told.body = 403, b"<Error><Code>AccessDenied</Code><Message>not today</Message></Error>"


ALL = [
    the_first_execution_failed, the_damaged_file_is_not_counted, nobody_told_the_backend, there_are_no_thumbnails,
    uploads_have_another_tag, nothing_is_logged, no_dead_letters, nothing_can_be_deleted,
]
