TOKEN=$(curl -sS https://keycloak.platform.example/realms/platform/protocol/openid-connect/token \
	-d grant_type=client_credentials -d client_id=dashboard -d "client_secret=$CLIENT_SECRET" -d scope=tenants:read |
	sed 's/.*"access_token": *"\([^"]*\)".*/\1/')
curl -sS -i https://tenants.platform.example/admin/tenants -H "Authorization: Bearer $TOKEN"
