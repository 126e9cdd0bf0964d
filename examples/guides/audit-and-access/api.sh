KEY=$(cat auditor.key)
curl -sS "https://tenants.platform.example/admin/audit?limit=100" -H "Authorization: Bearer $KEY"
curl -sS "https://tenants.platform.example/admin/tenants/$TENANT_ID/audit?limit=100" -H "Authorization: Bearer $KEY"
