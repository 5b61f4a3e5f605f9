"""The deployed resources, compared with what operators and the backend team were promised: names, limits, rights.

ministack does not keep every property. These are read from the template instead:

| Resource | Property |
|---|---|
| `AWS::S3::Bucket` | `BucketEncryption`, `LifecycleConfiguration`, `LoggingConfiguration` |
| `AWS::Lambda::Function` | `KmsKeyArn`, `ReservedConcurrentExecutions`, `DeadLetterConfig` |
| `AWS::StepFunctions::StateMachine` | `LoggingConfiguration`, `TracingConfiguration` |
| `AWS::StepFunctions::StateMachineVersion`, `…Alias` | all: CloudFormation has no such resources there |
| `AWS::MediaConvert::*` | all: there is no such resource |
"""

import json

from ministack_server import ACCOUNT, REGION
from server import equal, holds
from stack.deployment import ALERTS, STACK

MEDIA, LOGS = "toq-listing-medias", "toq-logs-staging"
DAY = 86400


def arn(service, resource):
    region = "" if service == "iam" else REGION
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def everything_of_the_template_is_there(desk):
    resources = desk.aws.stacks.describe_stack_resources(StackName=STACK)["StackResources"]
    made = {resource["LogicalResourceId"] for resource in resources if resource["ResourceStatus"] == "CREATE_COMPLETE"}
    # No copies of the bucket are configured.
    equal(made, set(desk.aws.template["Resources"]) - {"CopiesRole"}, "resources of the stack")
    equal(set(desk.aws.outputs), set(desk.aws.template["Outputs"]), "outputs of the stack")
    videos = desk.aws.outputs["MediaConvertQueueArn"]
    equal(videos, arn("mediaconvert", "queues/toq-media-queue-staging"), "the queue for videos")


def the_key_turns_yearly_and_is_used_by_five_roles(desk):
    aws = desk.aws
    key = aws.kms.describe_key(KeyId="alias/toq-media-processing-staging")["KeyMetadata"]
    equal((key["Arn"], key["KeyState"]), (aws.outputs["KeyArn"], "Enabled"), "the key behind the alias")
    rotation = aws.kms.get_key_rotation_status(KeyId=key["KeyId"])
    equal((rotation["KeyRotationEnabled"], rotation["RotationPeriodInDays"]), (True, 365), "its rotation")
    policy = json.loads(aws.kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
    use = next(statement for statement in policy["Statement"] if statement["Sid"] == "UseByTheRoles")
    people = ("backend", "lambda", "stepfunctions", "mediaconvert", "scheduler")
    roles = [arn("iam", f"role/toq-media-processing-{who}-staging") for who in people]
    equal(use["Condition"]["ArnEquals"]["aws:PrincipalArn"], roles, "who may use it")
    by_service = {s["Principal"]["Service"]: s for s in policy["Statement"] if "Service" in s["Principal"]}
    equal(set(by_service["events.amazonaws.com"]["Action"]), {"kms:Decrypt", "kms:GenerateDataKey"}, "EventBridge's use of it")
    equal(by_service["events.amazonaws.com"].get("Condition"), None, "a condition on it, with which EventBridge would be refused")
    administration = next(statement for statement in policy["Statement"] if statement["Sid"] == "Administer")
    holds({"kms:ListGrants", "kms:RevokeGrant"} <= set(administration["Action"]), "grants can be seen and taken back")


def buckets_are_private_and_versioned_and_speak_tls_only(desk):
    s3 = desk.aws.s3
    for bucket in (MEDIA, LOGS):
        equal(s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled", f"versions of {bucket}")
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        equal(set(block.values()), {True}, f"what blocks public access to {bucket}: {block}")
        denied = [s for s in json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"] if s["Effect"] == "Deny"]
        equal([(s["Action"], s["Resource"], s["Condition"]) for s in denied],
              [("s3:*", [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"], {"Bool": {"aws:SecureTransport": "false"}})],
              f"what {bucket} denies")


def queues_keep_and_hand_on_what_they_should(desk):
    def attributes(url):
        return desk.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    jobs, dead = attributes(desk.queue), attributes(desk.dead_queue)
    equal((jobs["QueueArn"], dead["QueueArn"]),
          (arn("sqs", "listing-media-processing-staging"), arn("sqs", "listing-media-processing-dlq-staging")), "names")
    timeout = desk.aws.functions.get_function_configuration(FunctionName=desk.function)["Timeout"]
    equal(int(jobs["VisibilityTimeout"]), 6 * timeout, "the visibility timeout, by the function's")
    equal((int(jobs["MessageRetentionPeriod"]), int(jobs["ReceiveMessageWaitTimeSeconds"])), (4 * DAY, 20), "jobs")
    equal(int(dead["MessageRetentionPeriod"]), 14 * DAY, "dead letters")
    redrive = json.loads(jobs["RedrivePolicy"])
    equal((redrive["deadLetterTargetArn"], int(redrive["maxReceiveCount"])), (dead["QueueArn"], 5), "receives")
    for queue in (jobs, dead):
        equal(queue["KmsMasterKeyId"], desk.aws.outputs["KeyArn"], f"the key of {queue['QueueArn']}")


def the_function_is_the_package_and_consumes_the_queue(desk):
    aws, name = desk.aws, "listing-media-processing-host-staging"
    seen = aws.functions.get_function_configuration(FunctionName=name)
    equal((seen["Runtime"], seen["Handler"], seen["MemorySize"], seen["Timeout"], seen["TracingConfig"]["Mode"]),
          ("provided.al2023", "bootstrap", 3008, 900, "Active"), "the function")
    equal((seen["Role"], seen["LoggingConfig"]),
          (arn("iam", "role/toq-media-processing-lambda-staging"),
           {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "LogGroup": f"/aws/lambda/{name}"}), "its role and log")
    expected = {
        "ENV": "staging", "MEDIA_BUCKET": MEDIA, "TRACE_HEADER_KEY": "traceparent", "CALLBACK_URL": desk.backend.url,
        "CALLBACK_SECRET_ARN": aws.secret, "STATE_MACHINE_ARN": desk.machine + ":live", "MEDIA_KMS_KEY_ID": aws.outputs["KeyArn"],
        "MEDIACONVERT_QUEUE": aws.outputs["MediaConvertQueueArn"],
        "MEDIACONVERT_JOB_TEMPLATE": "toq-media-video-preset-staging",
        "MEDIACONVERT_ROLE": arn("iam", "role/toq-media-processing-mediaconvert-staging"),
    }
    variables = seen["Environment"]["Variables"]
    equal({key: variables.get(key) for key in expected}, expected, "its environment")
    mapping, = aws.functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    equal((mapping["EventSourceArn"], mapping["FunctionResponseTypes"], mapping["State"]),
          (arn("sqs", "listing-media-processing-staging"), ["ReportBatchItemFailures"], "Enabled"), "what feeds it")
    callers = json.loads(aws.functions.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"]
    rules = {arn("events", f"rule/toq-media-mediaconvert-{what}-staging") for what in ("status", "cancel", "progress")}
    equal({list(s["Condition"].values())[0]["AWS:SourceArn"] for s in callers}, rules, "rules that may call it")
    equal({s["Principal"]["Service"] for s in callers}, {"events.amazonaws.com"}, "who may call it")


def messages_and_events_go_to_the_alias_and_the_state_machine_calls_a_version(desk):
    aws, name = desk.aws, "listing-media-processing-host-staging"
    alias = aws.functions.get_alias(FunctionName=name, Name="live")
    equal((alias["FunctionVersion"], aws.outputs["HostVersion"]), ("1", "1"), "the version behind the alias")
    mapping, = aws.functions.list_event_source_mappings(EventSourceArn=arn("sqs", "listing-media-processing-staging"))[
        "EventSourceMappings"]
    equal(mapping["FunctionArn"], alias["AliasArn"], "what the queue feeds")
    definition = aws.states.describe_state_machine(stateMachineArn=desk.machine)["definition"]
    holds(f"function:{name}:1" in definition and f"function:{name}\"" not in definition, "tasks call the version")


def the_sweep_calls_the_host_every_five_minutes(desk):
    schedule = desk.aws.schedules.get_schedule(Name="listing-media-sweep-staging")
    target = schedule["Target"]
    alias = arn("lambda", "function:listing-media-processing-host-staging:live")
    equal((schedule["ScheduleExpression"], schedule["State"], target["Arn"], json.loads(target["Input"])),
          ("rate(5 minutes)", "ENABLED", alias, {"source": "stagehost.sweep"}), "the schedule")
    equal(target["RoleArn"], arn("iam", "role/toq-media-processing-scheduler-staging"), "its role")
    equal(target["DeadLetterConfig"], {"Arn": arn("sqs", "listing-media-processing-dlq-staging")}, "where a dropped sweep rings")


def the_state_machine_is_the_repositorys(desk):
    seen = desk.aws.states.describe_state_machine(stateMachineArn=desk.machine)
    equal((seen["name"], seen["type"], seen["roleArn"]),
          ("listing-media-processing-sm-staging", "STANDARD", arn("iam", "role/toq-media-processing-stepfunctions-staging")),
          "the state machine")
    text = desk.aws.definition.read_text().replace("${DeadLetterQueueUrl}", desk.dead_queue)
    function = arn("lambda", "function:listing-media-processing-host-staging:1")
    equal(json.loads(seen["definition"]), json.loads(text.replace("${HostFunctionArn}", function)), "the definition")
    holds("${" not in seen["definition"], "no placeholder is left")


def logs_are_kept_for_thirty_days(desk):
    groups = {group["logGroupName"]: group for group in desk.aws.logs.describe_log_groups()["logGroups"]}
    for what in ("lambda/listing-media-processing-host", "stepfunctions/listing-media-processing-sm"):
        group = groups[f"/aws/{what}-staging"]
        equal((group["retentionInDays"], group["kmsKeyId"]), (30, desk.aws.outputs["KeyArn"]), f"the log of {what}")


def alarms_ring_at_the_topic(desk):
    topic = desk.aws.outputs["AlertTopicArn"]
    equal(topic, arn("sns", "toq-media-alerts-staging"), "the topic")
    subscriptions = desk.aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    equal([(s["Protocol"], s["Endpoint"]) for s in subscriptions], [("email", ALERTS)], "who is told")
    expected = {
        "listing-media-dlq-has-messages-staging": (
            "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "listing-media-processing-dlq-staging", 0),
        "stepfunctions-execution-failed-staging": ("AWS/States", "ExecutionsFailed", "StateMachineArn", desk.machine, 0),
        "lambda-errors-media-processing-staging": (
            "AWS/Lambda", "Errors", "FunctionName", "listing-media-processing-host-staging", 5),
        "host-errors-media-processing-staging": ("Stagehost", "HostErrors", "Environment", "staging", 0),
        "listing-media-undelivered-unreported-staging": (
            "AWS/Events", "FailedInvocations", "RuleName", "listing-media-executions-unreported-staging", 0),
    }
    seen = {alarm["AlarmName"]: alarm for alarm in desk.aws.alarms.describe_alarms()["MetricAlarms"]}
    equal(set(seen), set(expected), "alarms")
    # What a rule cannot deliver rings: it becomes a dead letter, or has an alarm. Heartbeats alone may be lost.
    watched = {alarm["Dimensions"][0]["Value"] for alarm in seen.values() if alarm["MetricName"] == "FailedInvocations"}
    for rule in desk.aws.events.list_rules()["Rules"]:
        targets = desk.aws.events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        rings = rule["Name"] in watched or all("DeadLetterConfig" in target for target in targets)
        equal(rings, "progress" not in rule["Name"], f"whether failed deliveries of {rule['Name']} ring")
    for name, (space, metric, dimension, value, threshold) in expected.items():
        alarm = seen[name]
        equal((alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"], alarm["Threshold"]),
              (space, metric, [{"Name": dimension, "Value": value}], threshold), f"what {name} looks at")
        equal((alarm["Period"] * alarm["EvaluationPeriods"], alarm["ComparisonOperator"], alarm["AlarmActions"]),
              (300, "GreaterThanThreshold", [topic]), f"when {name} rings, and where")
    equal([d["DashboardName"] for d in desk.aws.alarms.list_dashboards()["DashboardEntries"]],
          ["listing-media-processing-staging"], "dashboards")


def rules_bring_events_where_they_belong(desk):
    host, topic = arn("lambda", "function:listing-media-processing-host-staging:live"), desk.aws.outputs["AlertTopicArn"]
    dead = arn("sqs", "listing-media-processing-dlq-staging")
    expected = {
        "toq-media-mediaconvert-status-staging": {host, topic}, "toq-media-mediaconvert-progress-staging": {host},
        "toq-media-mediaconvert-cancel-staging": {host},
        "listing-media-executions-unreported-staging": {dead},
    }
    rules = {rule["Name"]: rule for rule in desk.aws.events.list_rules()["Rules"]}
    equal({name: rule["State"] for name, rule in rules.items()}, dict.fromkeys(expected, "ENABLED"), "rules")
    for name, targets in expected.items():
        seen = desk.aws.events.list_targets_by_rule(Rule=name)["Targets"]
        equal({target["Arn"] for target in seen}, targets, f"targets of {name}")

    def matching(source, kind, detail):
        event = {"id": "1", "source": source, "detail-type": kind, "account": ACCOUNT, "region": REGION,
                 "time": "2026-01-02T03:04:05Z", "resources": [], "detail": detail}

        def matches(rule):
            return desk.aws.events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))["Result"]

        return {name for name, rule in rules.items() if matches(rule)}

    letters = {
        name: {t.get("DeadLetterConfig", {}).get("Arn") for t in desk.aws.events.list_targets_by_rule(Rule=name)["Targets"]}
        for name in expected if "mediaconvert" in name
    }
    status, progress, cancel, unreported = expected
    equal(letters, {status: {dead}, cancel: {dead}, progress: {None}}, "a late heartbeat is no dead letter")
    policy = json.loads(desk.aws.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    publish = next(s for s in policy["Statement"] if s.get("Principal") == {"Service": "events.amazonaws.com"})
    equal(publish.get("Condition"), None, "a condition on EventBridge, with which it would be refused")
    videos = desk.aws.outputs["MediaConvertQueueArn"]
    for state, rule in {"COMPLETE": status, "ERROR": status, "STATUS_UPDATE": progress, "CANCELED": cancel}.items():
        job, detail = ("aws.mediaconvert", "MediaConvert Job State Change"), {"status": state, "queue": videos}
        equal(matching(*job, detail), {rule}, f"rules for {state}")
        equal(matching(*job, {**detail, "queue": videos + "-of-somebody-else"}), set(), f"rules for another's {state}")
    kind = "Step Functions Execution Status Change"
    for ended, rules_of_it in {
        ("ABORTED", None): {unreported}, ("TIMED_OUT", None): {unreported},
        ("FAILED", "States.DataLimitExceeded"): {unreported}, ("FAILED", None): {unreported},
        ("FAILED", "Batch.ProcessingFailed"): set(), ("FAILED", "Batch.ValidationFailed"): set(), ("SUCCEEDED", None): set(),
    }.items():
        detail = {"stateMachineArn": desk.machine, "status": ended[0], "error": ended[1]}
        equal(matching("aws.states", kind, detail), rules_of_it, f"rules for an execution that ended as {ended}")


def roles_may_do_their_work_and_no_more(desk):
    media, jobs = f"arn:aws:s3:::{MEDIA}", arn("sqs", "listing-media-processing-staging")
    dead = arn("sqs", "listing-media-processing-dlq-staging")
    executions = desk.machine.replace(":stateMachine:", ":execution:") + ":any"
    live = desk.machine + ":live"
    key, function = desk.aws.outputs["KeyArn"], arn("lambda", "function:listing-media-processing-host-staging")
    videos, secret = desk.aws.outputs["MediaConvertQueueArn"], desk.aws.secret
    may = {
        "backend": {
            f"{media}/51/raw/photo.jpg": "s3:GetObject s3:PutObject s3:DeleteObject",
            jobs: "sqs:SendMessage sqs:GetQueueAttributes", key: "kms:Encrypt kms:Decrypt kms:GenerateDataKey",
            desk.machine: "states:StartExecution", live: "states:StartExecution", executions: "states:DescribeExecution",
        },
        "lambda": {
            f"{media}/51/raw/photo.jpg": "s3:GetObject s3:PutObject s3:PutObjectTagging",
            f"{media}/pipeline/tickets/1.json": "s3:DeleteObject",
            f"{media}/51/processed/photo/vertical/a_note.txt": "s3:DeleteObject",
            jobs: "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes sqs:SendMessage", dead: "sqs:SendMessage",
            key: "kms:Decrypt kms:GenerateDataKey", secret: "secretsmanager:GetSecretValue",
            desk.machine: "states:StartExecution states:ListExecutions states:SendTaskSuccess states:SendTaskFailure "
                          "states:SendTaskHeartbeat",
            live: "states:StartExecution", executions: "states:DescribeExecution",
            videos: "mediaconvert:CreateJob mediaconvert:ListJobs",
            arn("mediaconvert", "jobs/1"): "mediaconvert:GetJob mediaconvert:CancelJob",
            "*": "xray:PutTraceSegments xray:PutTelemetryRecords",
        },
        "stepfunctions": {
            function: "lambda:InvokeFunction", function + ":1": "lambda:InvokeFunction", dead: "sqs:SendMessage",
            key: "kms:Decrypt kms:GenerateDataKey", videos: "mediaconvert:CreateJob",
            "*": "logs:CreateLogDelivery xray:PutTraceSegments",
        },
        "mediaconvert": {
            f"{media}/51/raw/video/vertical/a.mp4": "s3:GetObject",
            f"{media}/51/processed/video/vertical/a.mp4": "s3:PutObject",
            key: "kms:Decrypt kms:GenerateDataKey",
        },
        "scheduler": {function + ":live": "lambda:InvokeFunction", dead: "sqs:SendMessage", key: "kms:Decrypt kms:GenerateDataKey"},
    }
    may_not = {
        "backend": {
            jobs: "sqs:ReceiveMessage sqs:DeleteMessage", dead: "sqs:ReceiveMessage", desk.machine: "states:SendTaskSuccess",
            function: "lambda:InvokeFunction", secret: "secretsmanager:GetSecretValue", key: "kms:ScheduleKeyDeletion",
            media: "s3:DeleteBucket s3:PutBucketPolicy",
        },
        "lambda": {
            f"arn:aws:s3:::{LOGS}/media/1": "s3:GetObject", dead: "sqs:ReceiveMessage",
            desk.machine: "states:UpdateStateMachine", executions: "states:StopExecution", secret + "x": "secretsmanager:GetSecretValue",
            arn("iam", "role/administrator"): "iam:PassRole", key: "kms:PutKeyPolicy",
        },
        "stepfunctions": {
            f"{media}/51/raw/photo.jpg": "s3:GetObject", dead: "sqs:ReceiveMessage", function: "lambda:UpdateFunctionCode",
        },
        "mediaconvert": {
            f"{media}/51/raw/photo/vertical/a.jpg": "s3:GetObject",
            f"{media}/51/raw/video/vertical/a.mp4": "s3:PutObject s3:DeleteObject",
        },
        "scheduler": {function: "lambda:InvokeFunction", desk.machine: "states:StartExecution", dead: "sqs:ReceiveMessage"},
    }
    never = {
        "backend": {f"{media}/pipeline/pins/current.json": "s3:GetObject s3:PutObject s3:DeleteObject"},
        "lambda": {
            f"{media}/51/raw/photo.jpg": "s3:DeleteObject",
            f"{media}/pipeline/pins/current.json": "s3:PutObject s3:DeleteObject",
            f"{media}/pipeline/registry/validate": "s3:PutObject s3:DeleteObject",
        },
        "stepfunctions": {}, "mediaconvert": {}, "scheduler": {},
    }
    trusted = {
        "backend": "ec2", "lambda": "lambda", "stepfunctions": "states", "mediaconvert": "mediaconvert",
        "scheduler": "scheduler",
    }
    for who, service in trusted.items():
        name = f"toq-media-processing-{who}-staging"
        statements = desk.aws.iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"]
        equal([s["Principal"] for s in statements], [{"Service": f"{service}.amazonaws.com"}], f"who may be {name}")
        for rights, expected in ((may, "allowed"), (may_not, "implicitDeny"), (never, "explicitDeny")):
            for resource, actions in rights[who].items():
                seen = desk.aws.iam.simulate_principal_policy(
                    PolicySourceArn=arn("iam", f"role/{name}"), ActionNames=actions.split(), ResourceArns=[resource])
                decisions = {result["EvalActionName"]: result["EvalDecision"] for result in seen["EvaluationResults"]}
                equal(decisions, dict.fromkeys(actions.split(), expected), f"what {name} may do with {resource}")
    backend = "toq-media-processing-backend-staging"
    profile = desk.aws.iam.get_instance_profile(InstanceProfileName=backend)["InstanceProfile"]
    equal([role["RoleName"] for role in profile["Roles"]], [backend], "the instances' profile")


def what_ministack_does_not_keep_is_in_the_template(desk):
    properties = {name: resource["Properties"] for name, resource in desk.aws.complete["Resources"].items()}
    media, logs, host = properties["MediaBucket"], properties["LogBucket"], properties["HostFunction"]
    key = {"Fn::GetAtt": ["Key", "Arn"]}

    def encryption(bucket):
        rule, = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        return rule["ServerSideEncryptionByDefault"]

    equal(encryption(media), {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "encryption of media")
    equal(encryption(logs), {"SSEAlgorithm": "AES256"}, "encryption of access logs, which S3 delivers to such buckets only")
    equal(media["LoggingConfiguration"]["DestinationBucketName"], {"Ref": "LogBucket"}, "where access logs go")
    rules = {rule["Id"]: rule for rule in media["LifecycleConfiguration"]["Rules"]}
    glacier = rules["raw-to-glacier"]
    equal((glacier["Status"], glacier["TagFilters"], glacier["Transitions"]),
          ("Enabled", [{"Key": "lifecycle", "Value": "raw"}], [{"StorageClass": "GLACIER", "TransitionInDays": 180}]),
          "what becomes of uploads")
    equal(media["LifecycleConfiguration"]["TransitionDefaultMinimumObjectSize"], "varies_by_storage_class",
          "which uploads are too small for that")
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules.values() if "Prefix" in rule}
    equal({what: expiring.get(f"pipeline/{what}/") for what in ("tickets", "jobs", "tickets-submitted", "tries", "documents", "records")},
          {"tickets": 14, "jobs": 14, "tickets-submitted": 30, "tries": 14, "documents": 30, "records": 70}, "what expires, after how many days")
    equal(rules["abort-incomplete-uploads"]["AbortIncompleteMultipartUpload"], {"DaysAfterInitiation": 2}, "unfinished uploads")
    equal(media["CorsConfiguration"]["Fn::If"][1]["CorsRules"][0]["AllowedOrigins"], {"Ref": "UploadOrigins"},
          "pages that may upload")
    equal((host["KmsKeyArn"], host["DeadLetterConfig"]["TargetArn"]), (key, {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}),
          "the function's key and dead letters")
    machine = properties["StateMachine"]
    equal(machine["LoggingConfiguration"], {
        "Level": "ALL", "IncludeExecutionData": False,
        "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["StateMachineLogGroup", "Arn"]}}}],
    }, "the state machine's log")
    equal(machine["TracingConfiguration"], {"Enabled": True}, "its traces")
    reserved = host["ReservedConcurrentExecutions"]
    equal(reserved["Fn::If"], ["HasCapacityProvider", {"Ref": "AWS::NoValue"},
                               {"Fn::FindInMap": ["Host", "Function", "Concurrency"]}], "the function's concurrency")
    version, alias = properties["StateMachineVersion"], properties["StateMachineAlias"]
    equal((version["StateMachineRevisionId"], alias["Name"], alias["DeploymentPreference"]["StateMachineVersionArn"]),
          ({"Fn::GetAtt": ["StateMachine", "StateMachineRevisionId"]}, "live", {"Ref": "StateMachineVersion"}),
          "what new executions begin with")
    for versioned in ("HostVersion", "StateMachineVersion"):
        resource = desk.aws.complete["Resources"][versioned]
        equal((resource["DeletionPolicy"], resource["UpdateReplacePolicy"]), ("Retain", "Retain"), f"earlier ones of {versioned}")

    for role in ("LambdaRole", "StepFunctionsRole"):
        statements = properties[role]["Policies"][0]["PolicyDocument"]["Statement"]
        passing = [s for s in statements if s.get("Action") == "iam:PassRole"]
        equal([(s["Resource"], s["Condition"]) for s in passing],
              [({"Fn::GetAtt": ["MediaConvertRole", "Arn"]}, {"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}})],
              f"roles that {role} may pass on, without which CreateJob is refused")
    queue = properties["MediaConvertQueue"]
    equal((queue["Name"], queue["PricingPlan"], queue["Status"]),
          ({"Fn::Sub": "toq-media-queue-${Environment}"}, "ON_DEMAND", "ACTIVE"), "the queue for videos")
    template = properties["MediaConvertJobTemplate"]
    equal((template["Name"], template["Category"]),
          ({"Fn::Sub": "toq-media-video-preset-${Environment}"}, "toq-media-processing"), "the job template")
    group, = template["SettingsJson"]["OutputGroups"]
    outputs = []
    for output in group["Outputs"]:
        video, audio = output["VideoDescription"], output["AudioDescriptions"][0]["CodecSettings"]
        outputs.append((output["Extension"], video["Height"], video["CodecSettings"]["Codec"],
                        video["CodecSettings"]["H264Settings"]["MaxBitrate"], audio["Codec"], audio["AacSettings"]["Bitrate"]))
    equal(outputs, [("mp4", 1080, "H_264", 5_000_000, "AAC", 128_000), ("mp4", 720, "H_264", 3_000_000, "AAC", 96_000)],
          "what a video becomes")


ALL = [
    everything_of_the_template_is_there,
    the_key_turns_yearly_and_is_used_by_five_roles,
    buckets_are_private_and_versioned_and_speak_tls_only,
    queues_keep_and_hand_on_what_they_should,
    the_function_is_the_package_and_consumes_the_queue,
    messages_and_events_go_to_the_alias_and_the_state_machine_calls_a_version,
    the_sweep_calls_the_host_every_five_minutes,
    the_state_machine_is_the_repositorys,
    logs_are_kept_for_thirty_days,
    alarms_ring_at_the_topic,
    rules_bring_events_where_they_belong,
    roles_may_do_their_work_and_no_more,
    what_ministack_does_not_keep_is_in_the_template,
]
