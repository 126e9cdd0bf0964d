tenant-api contracts anchor --all
tenant-api tenants verify
