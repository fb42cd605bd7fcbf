#!/usr/bin/env bash
# Prints an ID token, which is valid for 60 minutes.
#
# Needs: API_URL, EVENTPULSE_USER (an e-mail address), EVENTPULSE_PASSWORD; curl, jq.
# Use:   EVENTPULSE_TOKEN=$(./sign-in.sh)
set -euo pipefail
: "${API_URL:?set it to the URL of the REST API}" "${EVENTPULSE_USER:?}" "${EVENTPULSE_PASSWORD:?}"

health=$(curl -sS --fail-with-body "$API_URL/health")
jq '{AuthFlow: "USER_PASSWORD_AUTH", ClientId: .sign_in.client_id,
     AuthParameters: {USERNAME: env.EVENTPULSE_USER, PASSWORD: env.EVENTPULSE_PASSWORD}}' <<<"$health" |
  curl -sS --fail-with-body "$(jq -r .sign_in.endpoint <<<"$health")" \
    -H 'content-type: application/x-amz-json-1.1' \
    -H 'x-amz-target: AWSCognitoIdentityProviderService.InitiateAuth' --data-binary @- |
  jq -er '.AuthenticationResult.IdToken // error("sign in once with `eventpulse login`: Cognito asks for more")'
