# The tenant whose id in the old service is $OLD_ID.
curl --silent --show-error --fail-with-body --header "Authorization: Bearer $TENANT_API_TOKEN" \
  "$TENANT_API_URL/admin/tenants?externalId=$OLD_ID"
