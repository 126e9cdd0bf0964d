# $TENANT is the tenant's id.
call() {
  curl --silent --show-error --fail-with-body --request "$1" --header "Authorization: Bearer $TENANT_API_TOKEN" \
    --header 'Content-Type: application/json' ${3:+--data "$3"} "$TENANT_API_URL/admin/$2"
}
call POST "tenants/$TENANT/invite"
call POST "tenants/$TENANT/suspend"
call POST "tenants/$TENANT/resume"
call PUT "tenants/$TENANT/hold" '{"reason": "Case 2026-17"}'
call GET 'tenants?held=true'
call POST "tenants/$TENANT/hold/clear" '{"reason": "Case 2026-17 is closed"}'
call GET "tenants/$TENANT/verify"
call POST "tenants/$TENANT/repair"
call POST "tenants/$TENANT/migrate?dryRun=true"
call POST "tenants/$TENANT/migrate"
call POST "tenants/$TENANT/archive"
call POST "tenants/$TENANT/unarchive"
call GET registry/verify
call GET platform/check
