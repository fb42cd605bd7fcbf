#!/usr/bin/env bash
# Sends one record as a device does: with an API key, and again after a failure, so that it counts exactly once.
#
# Needs:  DATA_URL and EVENTPULSE_API_KEY; curl, jq. Create both as the owner:
#           export EVENTPULSE_API_KEY=ep_…          # printed by: eventpulse keys create --name pump-1
#           export DATA_URL=$(curl -s "$API_URL/health" | jq -r .data.url)
# Use:    ./device.sh DEVICE VALUE
# Prints: the upload id and the URL of the receipt. Exits with 1 if the service refuses the record.
set -euo pipefail
: "${DATA_URL:?}" "${EVENTPULSE_API_KEY:?}"
device=${1:?usage: device.sh DEVICE VALUE}
value=${2:?usage: device.sh DEVICE VALUE}

record=$(jq -cn --arg device "$device" --argjson value "$value" --arg now "$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)" \
  '{device_id: $device, timestamp: $now, value: $value}')
key=$(cat /proc/sys/kernel/random/uuid) # the same for every attempt of this record
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

for attempt in 1 2 3 4 5 6; do
  status=$(curl -sS -o "$answer" -w '%{http_code}' --max-time 30 "$DATA_URL" -H "x-api-key: $EVENTPULSE_API_KEY" \
    -H 'content-type: application/json' -H "idempotency-key: $key" --data-binary "$record") || true
  case $status in
    202) jq . "$answer"; exit 0 ;;
    429 | 5?? | 000 | '') # too fast, a failure of AWS, or no answer: the message may be stored or not
      echo "attempt $attempt: status ${status:-none}" >&2
      sleep $((attempt * attempt)) ;;
    *) jq . "$answer" >&2; exit 1 ;; # the record or the key is wrong: `detail` says what to do
  esac
done
echo 'the record was not acknowledged' >&2
exit 1
