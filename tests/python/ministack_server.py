"""ministack, an AWS on this machine, for as long as a `with` block lasts."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import boto3
from botocore.config import Config

from server import PATIENCE_S, until

ACCOUNT, REGION = "000000000000", "us-east-1"
# Credentials of the account's root, and of an instance that has a role (see ministack_start.py).
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
INSTANCE = {
    "aws_access_key_id": "ASIAINSTANCE00000000", "aws_secret_access_key": "instance", "aws_session_token": "of the instance",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True


@contextlib.contextmanager
def running(name, command, environment, folder, port):
    """Runs a server in a folder during the `with` block, then removes the folder. Prints the log if the block fails."""
    with open(pathlib.Path(folder) / "log", "wb+") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            until(f"{name} answers", lambda: process.poll() is not None or answers(port))
            yield
        except BaseException:
            log.seek(0)
            print(log.read()[-8000:].decode(errors="replace"), flush=True)
            raise
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def ministack(corrected=False, **variables):
    """Starts it in a folder of its own. Returns its endpoint. `corrected` starts it with the changes of ministack_start.py.

    Its functions inherit its environment and `variables`, and so find AWS.
    """
    port, folder = free_port(), tempfile.mkdtemp()
    endpoint = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder,
        "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "AWS_ENDPOINT_URL": endpoint, **variables,
    }
    start = [str(pathlib.Path(__file__).with_name("ministack_start.py"))] if corrected else ["-m", "ministack"]
    with running("ministack", [sys.executable, "-B", *start], environment, folder, port):
        yield endpoint


def client(endpoint, service, credentials=ROOT):
    """A client without retries: a second try would hide that the first one failed."""
    config = Config(read_timeout=PATIENCE_S, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION, config=config, **credentials)
