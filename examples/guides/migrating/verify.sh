tenant-api tenants verify
tenant-api tenants list --blueprint legacy
