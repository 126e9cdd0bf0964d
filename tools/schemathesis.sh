#!/usr/bin/env bash
# Tests a running tenant-api against its OpenAPI document with schemathesis, a
# property-based client: for "make schemathesis". It starts the server under devstack
# and removes everything afterwards.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

# One version, so that a run can be repeated; kept beside the other tools.
version=4.32.5
venv=$root/bin/schemathesis-$version
if [ "${1:-}" != inside ]; then
	if [ ! -x "$venv/bin/schemathesis" ]; then
		command -v python3 >/dev/null || { echo 'schemathesis: Python 3 is missing' >&2; exit 1; }
		python3 -m venv "$venv"
		"$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
	fi
	go build -o bin/tenant-api ./cmd/tenant-api
	go build -o bin/devstack ./cmd/devstack
	exec bin/devstack --ledger-close 200ms -- "$0" inside
fi

key=$(bin/tenant-api apikey create --name schemathesis --scope admin 2>/dev/null)
log=$(mktemp)
report=$(mktemp -d)
# Limits by address would answer 429 before the checks see their 401: schemathesis_hooks.py.
TRUSTED_PROXIES=127.0.0.1 bin/tenant-api serve --port 0 --rate-limit 1000000 2>"$log" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || :; rm -rf "$log" "$report"' EXIT
url=
for _ in $(seq 100); do
	url=$(sed -n 's/.*msg=serving url=\([^ ]*\).*/\1/p' "$log" | head -n 1)
	[ -n "$url" ] && break
	sleep 0.1
done
[ -n "$url" ] || { cat "$log"; exit 1; }

status=0
cd "$report"
export SCHEMATHESIS_HOOKS=schemathesis_hooks PYTHONPATH="$root/tools" PYTHONDONTWRITEBYTECODE=1
"$venv/bin/schemathesis" --config-file "$root/tools/schemathesis.toml" run "$url/openapi.json" --header "Authorization: Bearer $key" \
	--checks all --max-examples "${EXAMPLES:-60}" --generation-database none --seed "${SEED:-1}" \
	--continue-on-failure --no-color --workers 1 || status=$?
if grep -q ' status=5[0-9][0-9]' "$log"; then
	echo 'schemathesis: the server answered with a 5xx:' >&2
	grep ' status=5[0-9][0-9]' "$log" | head >&2
	status=1
fi
exit $status
