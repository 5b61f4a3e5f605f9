"""Deploys statemachine/template.yaml on ministack as statemachine/README.md describes, with these differences.

| What differs | Why |
|---|---|
| `AWS::MediaConvert::Queue` and `AWS::MediaConvert::JobTemplate` are left out; their names are used | There is no MediaConvert |
| MediaConvert's API is `stack/transcoder.py`, and the test puts its events on the default bus | The same |
| The test publishes versions of the state machine and makes its alias `live`, by the API | CloudFormation cannot there |
| Retries wait a hundredth of their seconds (`SFN_WAIT_SCALE`), without jitter | They would take twenty minutes |
| The architecture is this machine's instead of the default | The function runs here |
| The backend's certificate is the test's own (`SSL_CERT_FILE` of the function) | `CallbackUrl` must be https |
| ministack itself is corrected in seven places | See `ministack_start.py` |

CloudFormation creates everything else as the template says. Policies are enforced (`AUTH`): the function has the rights of
its role only, and the backend's requests use the backend's role.
"""

import hashlib
import json
import pathlib
import platform
import re
import subprocess
import uuid

import yaml

from backend import SECRET, Backend
from ministack_server import INSTANCE, client, ministack
from server import equal, until
from stack.transcoder import Transcoder

STACK, ENVIRONMENT, ARTIFACTS, ALERTS = "listing-media-staging", "staging", "artifacts", "operators@example.com"
LEFT_OUT = {
    "AWS::MediaConvert::Queue", "AWS::MediaConvert::JobTemplate", "AWS::StepFunctions::StateMachineVersion",
    "AWS::StepFunctions::StateMachineAlias",
}
WAIT_SCALE = "0.01"


class Intrinsics(yaml.SafeLoader):
    """Reads YAML and turns CloudFormation's short forms into the long ones of JSON templates."""


def intrinsic(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if suffix == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Intrinsics.add_multi_constructor("!", intrinsic)


def named(value, found):
    """Returns all logical ids that a part of a template refers to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                found.add(inner)
            elif key == "Fn::GetAtt":
                found.add(inner[0])
            elif key == "Fn::Sub":
                found.update(re.findall(r"\$\{(\w+)", inner if isinstance(inner, str) else inner[0]))
            elif key == "DependsOn":
                found.update([inner] if isinstance(inner, str) else inner)
            named(inner, found)
    elif isinstance(value, list):
        for inner in value:
            named(inner, found)
    return found


def adapted(template):
    """Returns the template without the resources that ministack lacks. Nothing else may refer to them."""
    left_out = {name for name, resource in template["Resources"].items() if resource["Type"] in LEFT_OUT}
    equal(len(left_out), len(LEFT_OUT), "resources that ministack lacks")
    kept = {name: resource for name, resource in template["Resources"].items() if name not in left_out}
    outputs = {name: output for name, output in template["Outputs"].items() if not named(output, set()) & left_out}
    rest = {**template, "Resources": kept, "Outputs": outputs}
    equal(named(rest, set()) & left_out, set(), "references to what is left out")
    return rest


def certificate(folder):
    """Makes a certificate for this machine's address, and its key."""
    key, own = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=backend", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", str(key), "-out", str(own)],
        check=True, capture_output=True)
    return own, key


class Deployment:
    """The stack, its clients and the services around it. Use it in a `with` block."""

    def __init__(self, folder, repository, package, hostile):
        self.folder, self.repository = pathlib.Path(folder), pathlib.Path(repository)
        self.complete = yaml.load((self.repository / "statemachine/template.yaml").read_text(), Intrinsics)
        self.template = adapted(self.complete)
        self.definition = self.repository / "statemachine/media-processing.asl.json"
        self.package, self.hostile = package, hostile
        self.throttle = self.folder / "throttle"
        own, key = certificate(self.folder)
        self.backend, self.transcoder = Backend(own, key), Transcoder()
        self.server = ministack(
            corrected=True, AUTH="true", INSTANCE_ROLE=f"toq-media-processing-backend-{ENVIRONMENT}",
            SFN_WAIT_SCALE=WAIT_SCALE, SSL_CERT_FILE=str(own), THROTTLE=str(self.throttle),
            AWS_ENDPOINT_URL_MEDIACONVERT=self.transcoder.url)

    def __enter__(self):
        self.endpoint = endpoint = self.server.__enter__()
        services = {
            "s3": "s3", "sqs": "sqs", "sns": "sns", "iam": "iam", "kms": "kms", "logs": "logs", "events": "events",
            "functions": "lambda", "states": "stepfunctions", "alarms": "cloudwatch", "secrets": "secretsmanager",
            "stacks": "cloudformation", "schedules": "scheduler",
        }
        for name, service in services.items():
            setattr(self, name, client(endpoint, service))
        # The backend uses its own role.
        self.its_s3, self.its_sqs, self.its_states = (client(endpoint, s, INSTANCE) for s in ("s3", "sqs", "stepfunctions"))
        self.s3.create_bucket(Bucket=ARTIFACTS)
        self.secret = self.secrets.create_secret(Name="callback", SecretString=json.dumps({"secret": SECRET}))["ARN"]
        return self

    def __exit__(self, *error):
        return self.server.__exit__(*error)

    def upload_artifact(self, folder, body, ending):
        """Uploads a file under its digest, so that CloudFormation sees a change."""
        key = f"{folder}/{hashlib.sha256(body).hexdigest()[:16]}{ending}"
        self.s3.put_object(Bucket=ARTIFACTS, Key=key, Body=body)
        return key

    def deploy(self, package, definition=None):
        """Makes a change set and executes it, as `aws cloudformation deploy` does. Returns the stack's outputs."""
        definition = pathlib.Path(definition or self.definition)
        parameters = {
            "Environment": ENVIRONMENT, "Release": f"release-{uuid.uuid4().hex[:8]}", "ArtifactBucket": ARTIFACTS,
            "Architecture": "arm64" if platform.machine() == "aarch64" else "x86_64",
            "HostCodeKey": self.upload_artifact("host", pathlib.Path(package).read_bytes(), ".zip"),
            "DefinitionKey": self.upload_artifact("definitions", definition.read_bytes(), ".asl.json"),
            "CallbackUrl": self.backend.url, "CallbackSecretArn": self.secret, "AlertEmail": ALERTS,
        }
        template = self.upload_artifact("templates", json.dumps(self.template).encode(), ".json")
        kind = "UPDATE" if hasattr(self, "outputs") else "CREATE"
        change = self.stacks.create_change_set(
            StackName=STACK, ChangeSetName=f"change-{uuid.uuid4().hex}", ChangeSetType=kind,
            TemplateURL=f"{self.endpoint}/{ARTIFACTS}/{template}", Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])["Id"]

        def looked(field, *passing):
            seen = self.stacks.describe_change_set(ChangeSetName=change)
            return seen[field] not in passing and seen

        prepared = until("the change set is ready", lambda: looked("Status", "CREATE_PENDING", "CREATE_IN_PROGRESS"))
        equal(prepared["Status"], "CREATE_COMPLETE", f"the change set: {prepared.get('StatusReason')}")
        self.stacks.execute_change_set(ChangeSetName=change)
        until("the change is made", lambda: looked("ExecutionStatus", "AVAILABLE", "EXECUTE_IN_PROGRESS"))
        stack = self.stacks.describe_stacks(StackName=STACK)["Stacks"][0]
        if stack["StackStatus"] != f"{kind}_COMPLETE":
            told = self.stacks.describe_stack_events(StackName=STACK)["StackEvents"]
            reasons = [(e["LogicalResourceId"], e["ResourceStatusReason"]) for e in told if e.get("ResourceStatusReason")]
            raise AssertionError(f"{stack['StackStatus']}: {reasons}")
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.release()
        return self.outputs

    def release(self):
        """Does what the two resources for the state machine's versions do."""
        machine = self.outputs["StateMachineArn"]
        version = self.states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
        route = [{"stateMachineVersionArn": version, "weight": 100}]
        if self.states.list_state_machine_aliases(stateMachineArn=machine)["stateMachineAliases"]:
            self.states.update_state_machine_alias(stateMachineAliasArn=f"{machine}:live", routingConfiguration=route)
        else:
            self.states.create_state_machine_alias(name="live", routingConfiguration=route)
