"""Makes users of the local stack's user pool: users.py POOL_ID [--invite], names and passwords as a JSON object on
standard input, with the address <name>@example.com. Who is only invited has to choose another password at the first sign-in.

Prints the owner (`sub`) of each as a JSON object. On AWS, an administrator does this with
`aws cognito-idp admin-create-user`.
"""

import json
import os
import sys

import boto3

pool_id = sys.argv[1]
cognito = boto3.client("cognito-idp", region_name=os.environ["AWS_REGION"])
owners = {}
for name, password in json.load(sys.stdin).items():
    user = cognito.admin_create_user(
        UserPoolId=pool_id,
        Username=name,
        UserAttributes=[
            {"Name": "email", "Value": f"{name}@example.com"},
            {"Name": "email_verified", "Value": "true"},
        ],
        TemporaryPassword=password,
        MessageAction="SUPPRESS",
    )["User"]
    if "--invite" not in sys.argv:
        cognito.admin_set_user_password(UserPoolId=pool_id, Username=name, Password=password, Permanent=True)
    owners[name] = next(attribute["Value"] for attribute in user["Attributes"] if attribute["Name"] == "sub")
json.dump(owners, sys.stdout)
