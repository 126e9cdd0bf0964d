# On a machine with the settings of the server's database. The key is printed once.
tenant-api apikey create --name operations --scope admin --expires 720h > operations.key

export TENANT_API_URL=https://tenants.platform.example
export TENANT_API_TOKEN=$(cat operations.key)
