#!/usr/bin/env bash
# Runs tenant-api in the foreground, for "make dev". devstack starts it with the
# settings in the environment, and stops all services when this script ends.
set -euo pipefail
api=$1

export APP_PORT="${APP_PORT:-3000}"
if (exec 3<>"/dev/tcp/127.0.0.1/$APP_PORT") 2>/dev/null; then
	echo "dev: port $APP_PORT is in use; choose another one, as in: make dev APP_PORT=3001" >&2
	exit 2
fi
key=$("$api" apikey create --name dev --scope admin 2>/dev/null)

show() {
	# Once the server answers, so that the line works when it is pasted.
	until "$api" healthcheck >/dev/null 2>&1; do
		kill -0 "$$" 2>/dev/null || return
		sleep 0.05
	done
	cat >&2 <<END

tenant-api is ready. Documentation: http://127.0.0.1:$APP_PORT/docs
Console: http://127.0.0.1:$APP_PORT/console, sign in with $key
Mail that it sends: $MAIL_CATCHER_URL/

Onboard a clinic:

  curl -sS http://127.0.0.1:$APP_PORT/admin/tenants \\
    -H 'Authorization: Bearer $key' -H 'Content-Type: application/json' \\
    -d '{"name":"St. Mary'\\''s Clinic","adminEmail":"ada@st-marys.example","adminFirstName":"Ada","adminLastName":"Lovelace"}'

List the tenants:

  curl -sS http://127.0.0.1:$APP_PORT/admin/tenants -H 'Authorization: Bearer $key'

Ctrl-C stops everything; nothing is kept.

END
}
show &
exec "$api" serve
