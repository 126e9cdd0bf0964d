#!/bin/sh
# Writes testdata: the corpus of requests that the Go tests generate, what the
# crate answers to it natively, and the digests of both. build.sh runs it; run it
# by hand when only the generator has changed. tools/rust-test.sh has the crate
# answer again and compares.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/terraform-provider-healthcare/rust/native}
export CARGO_TARGET_DIR
mkdir -p "$here/testdata"
(cd "$here" && go test -count=1 -run TestCorpus_MatchesGenerator . -write-corpus)
(cd "$here/rust" && UPDATE=1 cargo test --locked --quiet native_answers)
sum() { sha256sum <"$here/testdata/$1" | cut -d' ' -f1; }
printf 'sources %s\ncorpus %s\nnative %s\n' "$(sed -n 's/^sources //p' "$here/host.digest")" \
	"$(sum corpus.bin.gz)" "$(sum native.bin.gz)" >"$here/testdata/native.digest"
