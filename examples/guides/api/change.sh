. ./functions.sh
# Read, and remember the version.
etag=$(api GET "/admin/tenants/$ID" --include | sed -n 's/^[Ee][Tt]ag: \("[^"]*"\).*/\1/p')
# Nothing has changed since: 304, without a body.
api GET "/admin/tenants/$ID" --header "If-None-Match: $etag" --include
# Change that version, and no other.
api PATCH "/admin/tenants/$ID" --header "If-Match: $etag" --data '{"metadata": {"region": "eu"}}' --include
# The version is another one now: 412, and nothing is changed.
api PATCH "/admin/tenants/$ID" --header "If-Match: $etag" --data '{"metadata": {"region": "us"}}' --include
