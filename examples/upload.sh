#!/usr/bin/env bash
# Uploads a file and prints its receipt as soon as it has an outcome.
#
# Needs:  the variables of sign-in.sh, or EVENTPULSE_TOKEN; curl, jq, sha256sum.
# Use:    ./upload.sh FILE [SCHEMA]
# Prints: the receipt as JSON. Exits with 0 if every record was accepted, else with 1.
set -euo pipefail
file=${1:?usage: upload.sh FILE [SCHEMA]}
schema=${2:-}
token=${EVENTPULSE_TOKEN:-$("$(dirname "$0")/sign-in.sh")}
api() { curl -sS --fail-with-body -H "authorization: Bearer $token" "$@"; }

case $file in
  *.json) type=application/json ;;
  *.ndjson | *.jsonl) type=application/x-ndjson ;;
  *) type=application/octet-stream ;; # the ending decides, such as .ndjson.gz
esac

# 1. Ask for a URL that accepts exactly this file.
issued=$(jq -n --arg name "$(basename "$file")" --arg type "$type" --argjson size "$(stat -c %s "$file")" \
  --arg sha256 "$(sha256sum "$file" | cut -d ' ' -f 1)" --arg schema "$schema" \
  '{file_name: $name, content_type: $type, size: $size, sha256: $sha256}
   + if $schema == "" then {} else {schema: $schema} end' |
  api "$API_URL/uploads" -H 'content-type: application/json' --data-binary @-)
id=$(jq -r .upload_id <<<"$issued")

# 2. Send the file with the headers that the response names. The URL is a secret.
headers=()
while IFS= read -r header; do headers+=(-H "$header"); done < \
  <(jq -r '.headers | to_entries[] | "\(.key): \(.value)"' <<<"$issued")
curl -sS --fail-with-body -X PUT "${headers[@]}" --data-binary @"$file" "$(jq -r .url <<<"$issued")"

# 3. Read the receipt until the upload has an outcome.
for _ in $(seq 300); do
  receipt=$(api "$API_URL/uploads/$id")
  state=$(jq -r .state <<<"$receipt")
  case $state in issued | received | waiting) sleep 1 ;; *) break ;; esac
done
jq . <<<"$receipt"
[ "$state" = accepted ] || [ "$state" = duplicate ]
