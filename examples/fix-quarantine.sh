#!/usr/bin/env bash
# Corrects the rejected records of an upload with a jq filter and retries them.
#
# Needs:  the variables of sign-in.sh, or EVENTPULSE_TOKEN; curl, jq. The correction may have 4 MiB.
# Use:    ./fix-quarantine.sh UPLOAD_ID FILTER
#         ./fix-quarantine.sh up_… '.value |= tonumber'      # numbers that were sent as strings
# Prints: the failures, then the receipt after the retry. Exits with 0 if nothing is rejected any more.
set -euo pipefail
id=${1:?usage: fix-quarantine.sh UPLOAD_ID FILTER}
filter=${2:?usage: fix-quarantine.sh UPLOAD_ID FILTER}
token=${EVENTPULSE_TOKEN:-$("$(dirname "$0")/sign-in.sh")}
api() { curl -sS --fail-with-body -H "authorization: Bearer $token" "$@"; }

# 1. Why was it rejected?
item=$(api "$API_URL/quarantine/$id")
jq -r '.report.records[]? | "line \(.line): " + ([.failures[] | "\(.code) at \"\(.pointer)\", \(.message)"] | join("; "))' <<<"$item" >&2

# 2. Download the rejected data. An upload that counts in part has one rejected record per line, under `record`;
#    a rejected upload has its file as it was sent.
url=$(jq -er '.download.object.url // error("the rejected data are gone")' <<<"$item")
if jq -e '.state == "partially_accepted"' <<<"$item" >/dev/null; then
  corrected=$(curl -sS --fail-with-body "$url" | jq -c "(.record // error(\"not JSON: line \(.line)\")) | $filter")
else
  # A JSON array becomes one record per line. NDJSON is one record per line already.
  corrected=$(curl -sS --fail-with-body "$url" | jq -c "(if type == \"array\" then .[] else . end) | $filter")
fi

# 3. Retry with the correction, then wait for the outcome.
api "$API_URL/quarantine/$id/retry" -H 'content-type: application/x-ndjson' --data-binary @- <<<"$corrected" >/dev/null
for _ in $(seq 60); do
  sleep 1
  receipt=$(api "$API_URL/uploads/$id")
  [ "$(jq -r .quarantine.status <<<"$receipt")" = retrying ] || break
done
jq '{upload_id, state, accepted, rejected, quarantine: .quarantine.status}' <<<"$receipt"
jq -e '.quarantine.status == "resolved"' <<<"$receipt" >/dev/null
