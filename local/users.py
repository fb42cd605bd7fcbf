"""Creates users in the user pool of the local stack: users.py POOL_ID [--invite]

Standard input is a JSON object of names and passwords. A user signs in with the e-mail address <name>@example.com. With
--invite, the user must choose another password at the first sign-in. A user that exists stays as it is.

Prints the owner (`sub`) of each name as a JSON object. On AWS, an administrator uses `aws cognito-idp admin-create-user`.
"""

import json
import os
import sys

import boto3

pool_id = sys.argv[1]
cognito = boto3.client("cognito-idp", region_name=os.environ["AWS_REGION"])
owners = {}
for name, password in json.load(sys.stdin).items():
    address = f"{name}@example.com"
    try:
        attributes = cognito.admin_create_user(
            UserPoolId=pool_id,
            Username=address,
            UserAttributes=[{"Name": "email", "Value": address}, {"Name": "email_verified", "Value": "true"}],
            TemporaryPassword=password,
            MessageAction="SUPPRESS",
        )["User"]["Attributes"]
        if "--invite" not in sys.argv:
            cognito.admin_set_user_password(UserPoolId=pool_id, Username=address, Password=password, Permanent=True)
    except cognito.exceptions.UsernameExistsException:
        attributes = cognito.admin_get_user(UserPoolId=pool_id, Username=address)["UserAttributes"]
    owners[name] = next(attribute["Value"] for attribute in attributes if attribute["Name"] == "sub")
json.dump(owners, sys.stdout)
