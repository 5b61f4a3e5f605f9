"""The backend's end of the callback: accepts only signed callbacks, remembers them, and answers as the test says."""

import base64
import collections
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

from server import until

SECRET = "the backend knows it too"
# How old a callback may be; the Standard Webhooks specification leaves it to the receiver.
FRESH_S = 300


def signature_faults(headers, body):
    """Returns the names of a callback's wrong headers, in small letters; an empty list if it is genuine."""
    key, faults = SECRET.encode(), []
    if not hmac.compare_digest(hmac.new(key, body, hashlib.sha256).hexdigest(), headers.get("x-toq-signature", "")):
        faults.append("x-toq-signature")
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signed = b".".join((identifier.encode(), timestamp.encode(), body))
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if not identifier or not hmac.compare_digest(expected, headers.get("webhook-signature", "")):
        faults.append("webhook-signature")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > FRESH_S:
        faults.append("webhook-timestamp")
    return faults


class Backend:
    """A server on loopback, with TLS if it has a certificate."""

    def __init__(self, certificate=None, key=None):
        backend = self
        self.told, self.forged = [], []
        self.attempts, self.identifiers, self.moods = collections.Counter(), collections.defaultdict(set), {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(backend.answer(self.path, dict(self.headers), body))
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/internal/media-processing/callback"

    def answer(self, path, headers, body):
        """Returns the status for one callback."""
        headers = {name.lower(): value for name, value in headers.items()}
        faults = signature_faults(headers, body)
        if faults or not path.endswith("/internal/media-processing/callback"):
            self.forged.append((path, faults))
            return 401
        content = json.loads(body)
        listing = content.get("listingId", content.get("listingIdentityId"))
        self.attempts[listing] += 1
        self.identifiers[listing].add(headers["webhook-id"])
        mood = self.moods.get(listing)
        status = mood(self.attempts[listing]) if mood else 200
        if status == 200:
            self.told.append((content, headers))
        return status

    def heard(self, listing):
        """Returns the callbacks about a listing, with their headers."""
        return [(body, headers) for body, headers in self.told if body.get("listingId") == listing]

    def wait_for(self, listing):
        return until(f"the callback of listing {listing}", lambda: self.heard(listing))[0]
