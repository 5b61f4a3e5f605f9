"""moto's Step Functions, which executes state machines, for as long as a `with` block lasts.

It calls functions and queues on the port that MOTO_PORT names. Its own would need Docker for functions, so the tests name
the port of a scripted function.
"""

import contextlib
import json
import os
import tempfile
import urllib.request

from ministack_server import free_port, running


@contextlib.contextmanager
def moto(python, services_port):
    """Starts it with a Python that has it; its tasks call `services_port`. Returns its endpoint."""
    port, folder = free_port(), tempfile.mkdtemp()
    endpoint = f"http://127.0.0.1:{port}"
    environment = {"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder, "MOTO_PORT": str(services_port)}
    command = [python, "-B", "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with running("moto", command, environment, folder, port):
        settings = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/config", settings, method="POST")).close()
        yield endpoint
