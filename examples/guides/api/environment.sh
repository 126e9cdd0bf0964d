export TENANT_API_URL=https://tenants.platform.example
export TENANT_API_TOKEN=$(cat crm.key)
