. ./functions.sh
api GET '/admin/tenants?status=ACTIVE&metadata.region=eu'
api GET '/admin/tenants?externalId=crm-4711&view=full'

# All pages, 100 tenants each.
cursor=
while :; do
  api GET "/admin/tenants?limit=100$cursor" --output page.json
  cat page.json
  next=$(sed -n 's/.*"nextCursor":"\([^"]*\)".*/\1/p' page.json)
  [ -n "$next" ] || break
  cursor="&cursor=$next"
done
