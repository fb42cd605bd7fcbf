"""E-mail subscriptions of SNS for the emulator (ministack 1.5.33), which delivers no e-mails.

Each section corrects one difference, as in `as_on_aws.py`. An e-mail is a file `<number>-<address>.eml` in the directory
EVENTPULSE_MAIL_DIR. Without that variable, e-mails are discarded.
"""

import itertools
import json
import os
import re
from datetime import datetime, timezone
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from urllib.parse import quote, urlencode

from ministack.core import iam_actions
from ministack.services import sns
from ministack.services.cloudformation import provisioners

ATTRIBUTES = [
    "DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy", "SubscriptionRoleArn"
]
# Printable ASCII without spaces, and one @.
ADDRESS = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
# The longest line that mail allows: a subject is not folded.
EIGHT_BIT = SMTP.clone(cte_type="8bit", max_line_length=998)

def first_number():
    """Returns the number after those of the mails in the directory: kept data has the mails of earlier runs."""
    directory = os.environ.get("EVENTPULSE_MAIL_DIR")
    names = [path.name for path in Path(directory).glob("*.eml")] if directory else []
    return max((int(name.partition("-")[0]) for name in names), default=0) + 1


numbers = itertools.count(first_number())


def invalid(what):
    return sns._error("InvalidParameter", f"Invalid parameter: {what}", 400)


# ---------------------------------------------------------------- SNS: the form of an e-mail
def deliver(topic, address, subject, text):
    """Writes an e-mail as SNS sends it. It gets its name when it is complete, so that readers never see half of it."""
    directory = os.environ.get("EVENTPULSE_MAIL_DIR")
    if not directory:
        return
    user, _, domain = address.rpartition("@")
    mail = EmailMessage(policy=EIGHT_BIT)
    sender = topic["attributes"].get("DisplayName") or "AWS Notifications"
    mail["Date"] = format_datetime(datetime.now(timezone.utc))
    mail["From"] = Address(sender, "no-reply", "sns.amazonaws.com")
    mail["To"] = Address(username=user, domain=domain)
    mail["Message-ID"] = make_msgid(domain="sns.amazonaws.com")
    mail["Subject"] = subject
    # Mail allows lines of up to 998 octets.
    long = any(len(line.encode()) > 998 for line in text.splitlines())
    encoding = "quoted-printable" if long else "7bit" if text.isascii() else "8bit"
    mail.set_content(text, charset="utf-8", cte=encoding)
    name = f"{next(numbers):06}-{re.sub(r'[^A-Za-z0-9@._+-]', '_', address)[:100]}.eml"
    unfinished = Path(directory, f".{name}.part")
    unfinished.write_bytes(mail.as_bytes())
    unfinished.rename(Path(directory, name))


def link(**query):
    return f"http://{sns._HOST}:{sns._PORT}/?{urlencode(query, safe=':', quote_via=quote)}"


def send_confirmation_request(topic, subscription):
    url = link(Action="ConfirmSubscription", TopicArn=topic["arn"], Token=subscription["token"])
    deliver(topic, subscription["endpoint"], "AWS Notification - Subscription Confirmation", (
        f"You have chosen to subscribe to the topic:\n{topic['arn']}\n\n"
        "To confirm this subscription, click or visit the link below (If this was in error no action is necessary):\n"
        f"{url}\n\n"
        "Please do not reply directly to this email. If you wish to remove yourself from receiving all future SNS "
        "subscription confirmation requests please send an email to sns-opt-out\n"
    ))


def send_notification(topic, subscription, subject, text):
    # On AWS the link leads to a page of the console, which calls the same action without credentials.
    url = link(Action="Unsubscribe", SubscriptionArn=subscription["arn"])
    deliver(topic, subscription["endpoint"], subject or "AWS Notification Message", (
        f"{text.rstrip()}\n\n--\n"
        "If you wish to stop receiving notifications from this topic, please click or visit the link below to "
        f"unsubscribe:\n{url}\n\n"
        "Please do not reply directly to this email. If you have any questions or comments regarding this email, "
        "please contact us at https://aws.amazon.com/support\n"
    ))


# ---------------------------------------------------------------- SNS: an e-mail subscription needs confirmation
subscribe = sns._subscribe
confirm = sns._confirm_subscription
list_by_topic = sns._list_subscriptions_by_topic
create_subscription = provisioners._sns_sub_create


def given_attributes(params):
    given, number = {}, 1
    while name := sns._p(params, f"Attributes.entry.{number}.key"):
        given[name] = sns._p(params, f"Attributes.entry.{number}.value")
        number += 1
    return {name: value for name, value in given.items() if name in ATTRIBUTES}


def subscribe_as_on_aws(params):
    address, returns_arn = sns._p(params, "Endpoint"), sns._p(params, "ReturnSubscriptionArn").lower() == "true"
    is_mail = sns._p(params, "Protocol") == "email"
    if is_mail and not ADDRESS.fullmatch(address):
        return invalid("Email address")
    topic = sns._topic_by_arn_any_scope(sns._normalize_arn(sns._p(params, "TopicArn")))
    known = find(topic, sns._p(params, "Protocol"), address)
    if known and any(known["attributes"].get(name, "") != value for name, value in given_attributes(params).items()):
        return invalid("Attributes Reason: Subscription already exists with different attributes")
    answer = subscribe(params)
    if not is_mail or answer[0] != 200:
        return answer
    subscription = known or find(topic, "email", address)
    if known is None:
        subscription.update(confirmed=False, token=sns.new_uuid())
        subscription["attributes"].update(PendingConfirmation="true", ConfirmationWasAuthenticated="false")
        sns._refresh_subscription_counts(topic)
    if not subscription["confirmed"]:
        send_confirmation_request(topic, subscription)
    arn = subscription["arn"] if subscription["confirmed"] or returns_arn else "pending confirmation"
    result = f"<SubscribeResult><SubscriptionArn>{arn}</SubscriptionArn></SubscribeResult>"
    return sns._xml(200, "SubscribeResponse", result)


def find(topic, protocol, endpoint):
    all_of_topic = topic["subscriptions"] if topic else []
    return next((one for one in all_of_topic if (one["protocol"], one["endpoint"]) == (protocol, endpoint)), None)


def confirm_repeatedly(params):
    answer = confirm(params)
    topic = sns._topic_by_arn_any_scope(sns._normalize_arn(sns._p(params, "TopicArn")))
    token = sns._p(params, "Token")
    for subscription in topic["subscriptions"] if topic and token else []:
        if answer[0] == 200 and subscription["arn"] in answer[2].decode() and subscription["protocol"] == "email":
            subscription["spent_token"] = token
            subscription["attributes"]["ConfirmationWasAuthenticated"] = "false"
        elif subscription.get("spent_token") == token:
            result = f"<SubscriptionArn>{subscription['arn']}</SubscriptionArn>"
            inner = f"<ConfirmSubscriptionResult>{result}</ConfirmSubscriptionResult>"
            return sns._xml(200, "ConfirmSubscriptionResponse", inner)
    return answer


def list_without_pending_arns(params):
    status, headers, body = list_by_topic(params)
    topic = sns._topic_by_arn_any_scope(sns._normalize_arn(sns._p(params, "TopicArn")))
    for subscription in topic["subscriptions"] if topic else []:
        if not subscription["confirmed"]:
            body = body.replace(f">{subscription['arn']}<".encode(), b">PendingConfirmation<")
    return status, headers, body


def create_pending_subscription(logical_id, props, stack_name):
    if props.get("Protocol") != "email":
        return create_subscription(logical_id, props, stack_name)
    params = {name: props.get(name, "") for name in ("TopicArn", "Protocol", "Endpoint")}
    for number, (name, value) in enumerate(provisioners._sns_sub_attributes(props).items(), 1):
        params |= {f"Attributes.entry.{number}.key": name, f"Attributes.entry.{number}.value": value}
    status, _, body = subscribe_as_on_aws({**params, "ReturnSubscriptionArn": "true"})
    if status != 200:
        raise ValueError(body.decode())
    arn = re.search(r"<SubscriptionArn>(.*)</SubscriptionArn>", body.decode())[1]
    return arn, {"Arn": arn}


sns._subscribe = subscribe_as_on_aws
sns._confirm_subscription = confirm_repeatedly
sns._list_subscriptions_by_topic = list_without_pending_arns
provisioners._sns_sub_create = create_pending_subscription
provisioners._RESOURCE_HANDLERS["AWS::SNS::Subscription"]["create"] = create_pending_subscription

# ---------------------------------------------------------------- SNS: a published message is e-mailed, or refused if e-mail cannot carry it
fan_out = sns._fanout
handle = sns.handle_request
publish = sns.publish_internal
# A subject begins with a letter, a digit or a punctuation mark, has up to 99 characters and no control characters.
SUBJECT = re.compile(r"[!-~][ -~]{0,98}")


def fan_out_with_mail(topic_arn, message_id, message, subject, structure="", attributes=None, **others):
    fan_out(topic_arn, message_id, message, subject, structure, attributes, **others)
    topic = sns._topic_by_arn_any_scope(topic_arn)
    for subscription in topic["subscriptions"] if topic else []:
        text = sns._resolve_message_for_protocol(message, structure, "email")
        if subscription["protocol"] == "email" and subscription["confirmed"]:
            if sns._matches_filter_policy(subscription, attributes or {}, text):
                send_notification(topic, subscription, subject, text)


def publish_with_checks(topic_arn, message, subject="", **others):
    if subject and not SUBJECT.fullmatch(subject):
        raise sns.SnsPublishError("InvalidParameter", "Invalid parameter: Subject")
    if not message:
        raise sns.SnsPublishError("InvalidParameter", "Invalid parameter: Empty message")
    if others.get("message_structure") == "json":
        try:
            members = json.loads(message)
        except ValueError:
            members = None
        if not isinstance(members, dict):
            raise sns.SnsPublishError(
                "InvalidParameter", "Invalid parameter: Message Structure - JSON message body failed to parse"
            )
        if not isinstance(members.get("default"), str):
            raise sns.SnsPublishError(
                "InvalidParameter", "Invalid parameter: Message Structure - No default entry in JSON message body"
            )
    return publish(topic_arn, message, subject, **others)


async def handle_with_subject_check(method, path, headers, body, query_params):
    fields = body.split(b"&")
    if b"Action=Publish" in fields and b"Subject=" in fields:
        return invalid("Subject")
    return await handle(method, path, headers, body, query_params)


sns._fanout = fan_out_with_mail
sns.publish_internal = publish_with_checks
sns.handle_request = handle_with_subject_check

# ---------------------------------------------------------------- IAM: the topic is the resource of a subscription; condition keys sns:Protocol and sns:Endpoint
extract_resource_arn = iam_actions.extract_resource_arn
request_context = iam_actions.request_tag_context


def resource_of_subscription(service, method, path, headers, body, query_params, *others):
    arn = extract_resource_arn(service, method, path, headers, body, query_params, *others)
    subscription = iam_actions._query_param(query_params, "SubscriptionArn") if service == "sns" else ""
    return subscription.rpartition(":")[0] if arn == "*" and subscription else arn


def context_of_subscribe(service, action, body, query_params):
    context = request_context(service, action, body, query_params)
    if action != "sns:Subscribe":
        return context
    keys = {f"sns:{name}": iam_actions._query_param(query_params, name) for name in ("Protocol", "Endpoint")}
    return {**context, **keys}


iam_actions.extract_resource_arn = resource_of_subscription
iam_actions.request_tag_context = context_of_subscribe
