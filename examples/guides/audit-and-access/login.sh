KEY=$(cat auditor.key)
curl -sS "https://tenants.platform.example/admin/tenants/$TENANT_ID/database-credentials" \
	-H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
	-d '{"ttlSeconds": 600, "reason": "Ticket 4711: wrong address in an invoice"}'
