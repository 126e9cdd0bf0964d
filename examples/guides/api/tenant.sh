#!/bin/sh
# Creates a tenant, follows it until it is ACTIVE, reads an error, and archives the tenant.
set -eu

# call METHOD PATH [OPTION...] stores the answer in answer.json and its status in $status. curl sends a
# request again when no answer came, or one of 408, 429, 500, 502, 503 and 504, after Retry-After.
call() {
  method=$1 path=$2
  shift 2
  status=$(curl --silent --show-error --request "$method" --retry 5 --retry-connrefused --max-time 60 \
    --header "Authorization: Bearer $TENANT_API_TOKEN" --header 'Content-Type: application/json' \
    --output answer.json --write-out '%{http_code}' "$@" "$TENANT_API_URL$path")
}
field() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' answer.json; } # A JSON parser such as jq does this better.
fail() { cat answer.json >&2; exit 1; }

# The key belongs to this creation, not to the request: every repetition has the same one.
key="clinic-$$-$(date +%s)"
call POST /admin/tenants --header "Idempotency-Key: $key" --data \
  '{"name": "St. Mary'\''s Clinic", "adminEmail": "ada@st-marys.example", "adminFirstName": "Ada", "adminLastName": "Lovelace"}'
[ "$status" = 202 ] || fail
id=$(field tenantId)
echo "queued $id"

# The stream ends with the provisioning. When the connection breaks, the loop opens another one.
while :; do
  curl --silent --no-buffer --max-time 600 --header "Authorization: Bearer $TENANT_API_TOKEN" "$TENANT_API_URL/admin/tenants/$id/events" |
    sed -n 's/.*"step":"\([A-Z_]*\)","status":"\([A-Z_]*\)".*/\1 \2/p'
  call GET "/admin/tenants/$id/provisioning-status"
  [ "$status" = 200 ] || fail
  case $(field overallStatus) in
    PENDING | PROVISIONING) sleep 1 ;;
    ACTIVE) break ;;
    *) fail ;; # The log entry of the failed step has the error.
  esac
done
echo ACTIVE

call POST /admin/tenants --data '{"name": "Other", "adminEmail": "nobody", "adminFirstName": "A", "adminLastName": "B"}'
echo "$status $(sed -n 's/.*"errors":\[{"field":"\([^"]*\)","message":"\([^"]*\)".*/\1: \2/p' answer.json)"

call DELETE "/admin/tenants/$id"
[ "$status" = 200 ] || fail
field status
