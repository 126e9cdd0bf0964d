#!/bin/sh
# Makes the secrets of deploy/compose.yaml, once: what exists is not changed. The files can be
# read by all, because the users in containers are others than here; their folder cannot be
# entered by others.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
random() { head -c "$1" /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
letters() { head -c 600 /dev/urandom | LC_ALL=C tr -dc 'a-z2-7' | head -c "$1"; }
make_secret() { # name text
	[ -s "secrets/$1" ] || printf '%s\n' "$2" >"secrets/$1"
	chmod 444 "secrets/$1"
}
make_secret postgres-password "$(random 24)"
make_secret database-password "$(random 24)"
make_secret api-key "hck_$(letters 12).$(random 32)" # As tenant-api apikey generate makes it.
echo "The API key is in $PWD/secrets/api-key."
