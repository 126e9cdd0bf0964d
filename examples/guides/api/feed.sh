. ./functions.sh
# The next events since the last time. Store nextCursor when you have processed them.
cursor=$(cat cursor 2> /dev/null || true)
api GET "/admin/events?limit=1000${cursor:+&cursor=$cursor}" --output events.json
cat events.json
sed -n 's/.*"nextCursor":"\([^"]*\)".*/\1/p' events.json > cursor
