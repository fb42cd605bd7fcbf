"""Identity and access as on AWS, where the emulator (ministack 1.5.33) is laxer.

Each section corrects one difference, as in `as_on_aws.py`.
"""

import json
from contextvars import ContextVar

from ministack.core import iam_actions
from ministack.services import apigateway_v1 as gateway
from ministack.services import cognito, s3

# ---------------------------------------------------------------- Cognito: only administrators create users (AllowAdminCreateUserOnly)
run_handler = cognito._run_idp_handler


def refused(kind, message):
    return cognito.error_response_json(kind, message, 400)


def is_for_administrators_only(client_id):
    pools = [pool for pool in cognito._user_pools.values() if client_id in pool["_clients"]]
    settings = [pool.get("AdminCreateUserConfig") or {} for pool in pools]
    return any(str(one.get("AllowAdminCreateUserOnly")).lower() == "true" for one in settings)


# ---------------------------------------------------------------- Cognito: `sub` never changes; users change what their client may
SETS_ATTRIBUTES = {"AdminUpdateUserAttributes", "UpdateUserAttributes"}


def writable_attributes(token):
    """Returns the attributes that the client of an access token may write. Without a list, it may write all."""
    client_id = cognito._token_claims(token).get("client_id")
    for pool in cognito._user_pools.values():
        if client_id in pool["_clients"]:
            return pool["_clients"][client_id].get("WriteAttributes") or None
    return None


def refusal_of_attributes(action, data):
    names = [attribute.get("Name") for attribute in data.get("UserAttributes") or []]
    if "sub" in names:
        return refused("InvalidParameterException", "Cannot modify the non-mutable attribute sub")
    allowed = writable_attributes(data.get("AccessToken", "")) if action == "UpdateUserAttributes" else None
    if allowed is not None and not set(names) <= set(allowed):
        return refused("NotAuthorizedException", "A client attempted to write unauthorized attribute")
    return None


def run_handler_as_on_aws(handler, action, data):
    if action == "SignUp" and is_for_administrators_only(data.get("ClientId")):
        return refused("NotAuthorizedException", "SignUp is not permitted for this user pool")
    refusal = refusal_of_attributes(action, data) if action in SETS_ATTRIBUTES else None
    if action == "UpdateUserAttributes":
        # A user's new address does not count until it is verified, which the emulator has no mail for.
        kept = [attribute for attribute in data.get("UserAttributes") or [] if attribute.get("Name") != "email"]
        data = {**data, "UserAttributes": kept}
    return refusal or run_handler(handler, action, data)


cognito._run_idp_handler = run_handler_as_on_aws

# ---------------------------------------------------------------- S3: the signature of a presigned URL covers all x-amz- headers
verify = s3._verify_presigned_sigv4


def verify_with_all_headers(method, path, headers, query_params):
    signed = s3._qp(query_params, "X-Amz-SignedHeaders", "").split(";")
    unsigned = [name for name in map(str.lower, headers) if name.startswith("x-amz-") and name not in signed]
    if s3._qp(query_params, "X-Amz-Signature", "") and unsigned:
        message = "There were headers present in the request which were not signed"
        return s3._error("AccessDenied", message, 403, path)
    return verify(method, path, headers, query_params)


s3._verify_presigned_sigv4 = verify_with_all_headers

# ---------------------------------------------------------------- IAM: condition keys aws:ResourceTag and aws:RequestTag of API Gateway keys
extract_resource_arn = iam_actions.extract_resource_arn
request_context = iam_actions.request_tag_context
checked_arn = ContextVar("checked_arn", default="")


def remember_resource_arn(*arguments):
    arn = extract_resource_arn(*arguments)
    checked_arn.set(arn)
    return arn


def context_with_key_tags(service, action, body, query_params):
    context = request_context(service, action, body, query_params)
    _, is_key, key = checked_arn.get().partition("::/apikeys")
    if service != "apigateway" or not is_key:
        return context
    kind, tags = "ResourceTag", (gateway._api_keys.get(key.strip("/")) or {}).get("tags", {})
    if action == "apigateway:POST":
        kind, tags = "RequestTag", json.loads(body or b"{}").get("tags") or {}
    return {**context, **{f"aws:{kind}/{name}".lower(): value for name, value in tags.items()}}


iam_actions.extract_resource_arn = remember_resource_arn
iam_actions.request_tag_context = context_with_key_tags
