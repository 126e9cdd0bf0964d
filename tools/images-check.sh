#!/usr/bin/env bash
# Checks the images of HEAD: makes that of tenant-api twice, in clones in different folders,
# and compares; then runs each image with buildah as its own user, tenant-api's with a
# read-only root until a tenant is ACTIVE. Needs root, buildah and what tools/images.sh needs.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
fail() { echo "images-check: $*" >&2; exit 1; }
work=$(mktemp -d)
chmod 755 "$work"
storage=(--root "$work/storage" --runroot "$work/run")
stack='' server='' api=''
cleanup() {
	[ -z "$api" ] || { kill -TERM "$api" 2>/dev/null && wait "$api"; } || true
	[ -z "$server" ] || { touch "$stack/tmp/stop" && wait "$server"; } || true
	! mountpoint -q "$work/readonly" || umount "$work/readonly"
	buildah "${storage[@]}" umount --all >/dev/null 2>&1 || true
	buildah "${storage[@]}" rm --all >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap cleanup EXIT
export VERSION=1.2.3-check BUILDAH_ISOLATION=chroot

git diff --quiet HEAD || echo "images-check: uncommitted changes are not checked" >&2
clone() { # folder, images...
	local folder=$1
	shift
	git clone --quiet "$root" "$folder"
	mkdir "$folder/bin"
	cp "$root/bin/cyclonedx-gomod" "$folder/bin/"
	"$folder/tools/images.sh" "$folder/dist/images" "$@" >"$work/log" || { cat "$work/log"; return 1; }
	cat "$work/log"
}
clone "$work/one"
(umask 077; TZ=Asia/Kathmandu GOFLAGS=-mod=mod clone "$work/at/another/place" tenant-api)
chmod -R go+rX "$work/one"
images=$work/one/dist/images
cmp "$images/tenant-api/index.json" "$work/at/another/place/dist/images/tenant-api/index.json" || fail "the same commit gave two images"

# container NAME: a container of an image.
# A relative path, because buildah makes a name of it, which may not have capitals.
container() { (cd "$images" && buildah "${storage[@]}" from --quiet --name "$1" "oci:$1:$VERSION" >/dev/null 2>"$work/log") || { cat "$work/log"; return 1; }; }
inside() { buildah "${storage[@]}" run --user 65532 "$@"; }
inspect() { buildah "${storage[@]}" inspect --format "$1" "$2"; }
for name in tenant-api tenant-api-backup devstack; do
	container "$name"
	[ "$(inspect '{{.OCIv1.Config.User}}' "$name")" = 65532:65532 ] || fail "$name does not run as 65532"
	[ "$(inspect '{{index .OCIv1.Config.Labels "org.opencontainers.image.version"}}' "$name")" = "$VERSION" ] || fail "$name has no label of its version"
	[ "$(inspect '{{index .OCIv1.Config.Labels "org.opencontainers.image.revision"}}' "$name")" = "$(git rev-parse HEAD)" ] || fail "$name has no label of its commit"
	mounted=$(buildah "${storage[@]}" mount "$name")
	foreign=$(find "$mounted" -xdev \( -perm -4000 -o -perm -2000 -o ! -user 0 ! -path "$mounted/var/lib/devstack" \) ! -type l | head)
	[ -z "$foreign" ] || fail "$name has files with rights that it does not need: $foreign"
	for file in LICENSE NOTICE licences/go.txt licences/crates.txt sbom.cdx.json; do
		[ -s "$mounted/usr/share/doc/${name%-backup}/$file" ] || fail "$name has no $file"
	done
	[ -s "$mounted/etc/ssl/certs/ca-certificates.crt" ] && [ -s "$mounted/usr/share/zoneinfo/Europe/Vienna" ] || fail "$name has no certificates or time zones"
	# What a layer may not do to others: the programs are of the platform that the manifest names.
	case $(od -An -tx1 -j18 -N1 "$mounted/usr/local/bin/${name%-backup}" | tr -d ' ') in 3e) ;; *) fail "$name is not for amd64" ;; esac
done

[[ $(inside tenant-api -- tenant-api version) == "tenant-api $VERSION ("* ]] || fail "tenant-api prints another version"
[[ $(inside tenant-api-backup -- tenant-api version) == "tenant-api $VERSION ("* ]] || fail "tenant-api of the backup image prints another version"
for program in pg_dump pg_restore; do
	[[ $(inside tenant-api-backup -- "$program" --version) == "$program (PostgreSQL) 18."* ]] || fail "$program is not there, or of an old version"
done

# In devstack's image its own PostgreSQL and network run; tenant-api's image uses them.
readonly=$work/readonly
mkdir "$readonly"
mount --bind "$(buildah "${storage[@]}" mount tenant-api)" "$readonly"
mount -o remount,bind,ro "$readonly"
stack=$(buildah "${storage[@]}" mount devstack)
settings=$stack/tmp/stack.env
# A signal to buildah would not reach it.
inside devstack -- devstack --env-file /tmp/stack.env -- sh -c 'until [ -e /tmp/stop ]; do sleep 0.1; done' >"$work/devstack.log" 2>&1 &
server=$!
for n in $(seq 600); do [ -s "$settings" ] && break; kill -0 "$server" 2>/dev/null || break; sleep 0.1; done
[ -s "$settings" ] || { cat "$work/devstack.log"; fail "devstack did not start in its image"; }
. "$settings"
export APP_PORT=$((20000 + RANDOM % 20000)) APP_HOST=127.0.0.1
isolated() { chroot --userspec=65532:65532 "$readonly" /usr/local/bin/tenant-api "$@"; }
! touch "$readonly/tmp/written" 2>/dev/null || fail "the root is not read-only"
isolated migrate up
(exec chroot --userspec=65532:65532 "$readonly" /usr/local/bin/tenant-api serve) >"$work/serve.log" 2>&1 &
api=$!
for n in $(seq 600); do isolated healthcheck >/dev/null 2>&1 && break; kill -0 "$api" 2>/dev/null || break; sleep 0.1; done
isolated healthcheck || { cat "$work/serve.log"; fail "the server is not ready, as its own health check says"; }
isolated tenants create --name "Image Clinic" --admin-email ada@image.example --admin-first-name Ada --admin-last-name Lovelace
isolated tenants show "name:Image Clinic" --json | grep -q '"status": *"ACTIVE"' || fail "the tenant is not ACTIVE"
# The newest pg_dump, of the backup image, with the libraries there.
inside --env "DATABASE_URL=$DATABASE_URL" tenant-api-backup -- pg_dump --schema-only --format custom --file /tmp/dump "$DATABASE_URL" || fail "pg_dump failed"
inside tenant-api-backup -- pg_restore --list /tmp/dump | grep -q 'TABLE public tenants' || fail "the dump has no registry"
kill -TERM "$api"
status=0
wait "$api" || status=$?
api=
[ "$status" = 0 ] || { cat "$work/serve.log"; fail "the server did not stop cleanly"; }
if isolated healthcheck >/dev/null 2>&1; then fail "the health check passes without a server"; fi
echo "images-check: all images run"
