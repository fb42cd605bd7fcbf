"""Patches for differences between the emulator (ministack 1.5.33) and AWS on which `template.yaml` relies.

Each section corrects one difference. Delete a section when the emulator does what its title says.
"""

import base64
import json
import re
import secrets
import threading
import time
from contextvars import ContextVar

from ministack.services import apigateway_v1 as gateway
from ministack.services import eventbridge, lambda_svc, sqs
from ministack.services.cloudformation import provisioners

# ---------------------------------------------------------------- CloudFormation: API key source, request validators
create_api = provisioners._apigw_rest_api_create
create_method = provisioners._apigw_method_create


def create_api_with_key_source(logical_id, props, stack_name):
    api_id, attributes = create_api(logical_id, props, stack_name)
    gateway._rest_apis[api_id]["apiKeySource"] = props.get("ApiKeySourceType", "HEADER")
    return api_id, attributes


def create_validator(_logical_id, props, _stack_name):
    flags = {name: str(props.get(name[0].upper() + name[1:])).lower() == "true"
             for name in ("validateRequestBody", "validateRequestParameters")}
    created = gateway._create_request_validator(props["RestApiId"], {"name": props.get("Name", ""), **flags})
    validator_id = gateway.json.loads(created[2])["id"]
    return validator_id, {"RequestValidatorId": validator_id}


def create_method_with_validator(logical_id, props, stack_name):
    created = create_method(logical_id, props, stack_name)
    methods = gateway._resources[props["RestApiId"]][props["ResourceId"]]["resourceMethods"]
    methods[props["HttpMethod"]]["requestValidatorId"] = props.get("RequestValidatorId")
    return created


provisioners._apigw_rest_api_create = create_api_with_key_source
provisioners._apigw_method_create = create_method_with_validator
provisioners._apigw_request_validator_create = create_validator
provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["create"] = create_api_with_key_source
provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Method"]["create"] = create_method_with_validator
provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RequestValidator"]["create"] = create_validator

# ---------------------------------------------------------------- API Gateway: the authorizer returns the API key (apiKeySource AUTHORIZER)
authorize = gateway._authorize_request_v1
key_from_header = gateway._api_key_from_request
invoke_authorizer = gateway._invoke_authorizer_lambda
authorizer_key = ContextVar("authorizer_key", default=None)


async def invoke_authorizer_with_key(*arguments):
    # The emulator caches only the context of the answer, so the key goes into the context. Mapping templates ignore it.
    result = await invoke_authorizer(*arguments)
    answer = (result or {}).get("body")
    if isinstance(answer, dict) and "usageIdentifierKey" in answer:
        context = {**(answer.get("context") or {}), "usageIdentifierKey": answer["usageIdentifierKey"]}
        result = {**result, "body": {**answer, "context": context}}
    return result


async def authorize_with_key(api_id, *arguments):
    error, context = await authorize(api_id, *arguments)
    by_authorizer = gateway._rest_apis.get(api_id, {}).get("apiKeySource") == "AUTHORIZER"
    authorizer_key.set((context or {}).get("usageIdentifierKey", "") if by_authorizer else None)
    return error, context


def key_from_request(headers):
    return key_from_header(headers) if authorizer_key.get() is None else authorizer_key.get()


gateway._invoke_authorizer_lambda = invoke_authorizer_with_key
gateway._authorize_request_v1 = authorize_with_key
gateway._api_key_from_request = key_from_request

# ---------------------------------------------------------------- API Gateway: $context.requestId, .extendedRequestId, .requestTimeEpoch
execute = gateway._execute_in_scope
render_template = gateway._render_request_template_v1
request_ids = ContextVar("request_ids", default={})


async def execute_with_ids(request, *arguments):
    # 16 characters that end with "=", as in x-amz-apigw-id.
    extended = base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()
    now = str(time.time_ns() // 1_000_000)
    request_ids.set({"requestId": request["request_id"], "extendedRequestId": extended, "requestTimeEpoch": now})
    return await execute(request, *arguments)


def render_with_ids(template, body, params, context=None):
    return render_template(template, body, params, {**(context or {}), **request_ids.get()})


gateway._execute_in_scope = execute_with_ids
gateway._render_request_template_v1 = render_with_ids

# ---------------------------------------------------------------- API Gateway: base64Encode, #if("$!name" == "")
IF_EMPTY = re.compile(r'#if\("\$!(\w+)" ([!=]=) ""\)(.*?)#(?:end|\{end\})', re.DOTALL)
render = gateway._vtl_render
call_util = gateway._vtl_util


def render_with_if(text, state):
    # `text` is a template or a literal in it, never input of a client.
    rendered, rest = [], 0
    for found in IF_EMPTY.finditer(text):
        rendered.append(render(text[rest:found.start()], state))
        if (not state["vars"].get(found[1])) == (found[2] == "=="):
            rendered.append(render(found[3], state))
        rest = found.end()
    return "".join([*rendered, render(text[rest:], state)])


def call_util_or_encode(steps, state):
    if steps and steps[0][0] == "base64Encode":
        text = gateway._vtl_str(gateway._vtl_value(steps[0][1], state))
        return base64.b64encode(text.encode()).decode()
    return call_util(steps, state)


gateway._vtl_render = render_with_if
gateway._vtl_util = call_util_or_encode

# ---------------------------------------------------------------- EventBridge: Lambda retries failed invocations
def dispatch_with_retries(arn, payload):
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        eventbridge.logger.warning("EventBridge: there is no function %s", name)
        return
    record = lambda_svc._execution_record_for_config(function, config)
    lambda_svc.invoke_async_with_retry(record, json.loads(payload))


eventbridge._dispatch_to_lambda = dispatch_with_retries

# ---------------------------------------------------------------- Lambda: batches of more than ten messages of a queue
def receive_batch(queue_url, size):
    # MaximumBatchingWindowInSeconds is ignored: the local stack does not wait to fill a batch.
    with sqs._queues_lock:
        queue = sqs._get_q(queue_url)
        sqs._expire_retained(queue)
        sqs._dlq_sweep(queue)
        return sqs._collect_msgs(queue, int(size or 1), int(queue["attributes"].get("VisibilityTimeout", "30")))


sqs._receive_messages_for_esm = receive_batch

# ---------------------------------------------------------------- Lambda: a slow function of a stream does not delay queues
poll_streams = lambda_svc._poll_dynamodb_streams
streams_polled = threading.Event()


def poll_streams_forever():
    while True:
        try:
            processed = poll_streams()
        except Exception:
            lambda_svc.logger.exception("the poller of DynamoDB streams failed")
            processed = False
        if not processed:
            time.sleep(0.05)


def start_stream_poller():
    # The poller of the queues calls this in its loop. The first call starts a thread for the streams.
    if not streams_polled.is_set():
        streams_polled.set()
        threading.Thread(target=poll_streams_forever, name="stream-poller", daemon=True).start()
    return False


lambda_svc._poll_dynamodb_streams = start_stream_poller

# ---------------------------------------------------------------- SQS: the redrive of a dead-letter queue
move_tasks = []


def start_message_move_task(data, _url):
    """Moves all messages at once; AWS moves them gradually. As on AWS, they get new ids and start with a count of 0."""
    source = sqs._queue_by_arn(data.get("SourceArn", ""))
    if source is None:
        raise sqs._Err("ResourceNotFoundException", "There is no queue of this SourceArn.")
    now, moved, kept = time.time(), 0, []
    with sqs._queues_lock:
        for message in source["messages"]:
            destination = sqs._queue_by_arn(data.get("DestinationArn") or message["sys"].get("DeadLetterQueueSourceArn", ""))
            if destination is None or message["visible_at"] > now:
                kept.append(message)
                continue
            fresh = {name: value for name, value in message["sys"].items() if name != "DeadLetterQueueSourceArn"}
            fresh["SentTimestamp"] = str(int(now * 1000))
            destination["messages"].append({
                **message, "id": sqs.new_uuid(), "sent_at": now, "visible_at": now, "receipt_handle": None,
                "receive_count": 0, "first_receive_at": None, "sys": fresh,
            })
            moved += 1
        source["messages"] = kept
    sqs.esm_wake.set()
    move_tasks.insert(0, {
        "Status": "COMPLETED", "SourceArn": data["SourceArn"], "ApproximateNumberOfMessagesMoved": moved,
        "ApproximateNumberOfMessagesToMove": moved, "StartedTimestamp": int(now * 1000),
    })
    return {"TaskHandle": base64.b64encode(sqs.new_uuid().encode()).decode()}


def list_message_move_tasks(data, _url):
    tasks = [task for task in move_tasks if task["SourceArn"] == data.get("SourceArn")]
    return {"Results": tasks[: int(data.get("MaxResults", 1))]}


sqs._HANDLERS["StartMessageMoveTask"] = start_message_move_task
sqs._HANDLERS["ListMessageMoveTasks"] = list_message_move_tasks
