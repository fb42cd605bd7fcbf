#!/usr/bin/env bash
# Prints the exact statistics of a device.
#
# Needs:  the variables of sign-in.sh, or EVENTPULSE_TOKEN; curl, jq.
# Use:    ./statistics.sh DEVICE [FROM [TO]]      FROM is included, TO is not, such as 2025-02-28T12:00:00Z
# Prints: count, mean, median, standard deviation, minimum, maximum and three quantiles, and the number of uploads behind
#         them.
set -euo pipefail
device=${1:?usage: statistics.sh DEVICE [FROM [TO]]}
token=${EVENTPULSE_TOKEN:-$("$(dirname "$0")/sign-in.sh")}
query=(--data-urlencode "device_id=$device" --data-urlencode "quantiles=0.05,0.5,0.95")
[ -z "${2:-}" ] || query+=(--data-urlencode "from=$2")
[ -z "${3:-}" ] || query+=(--data-urlencode "to=$3")
curl -sS --fail-with-body --get -H "authorization: Bearer $token" "$API_URL/" "${query[@]}" |
  jq '{device_id, measure, count, mean, median, standard_deviation, min, max, quantiles, uploads: .uploads.included.count}'
