tenant-api apikey create --name "Night shift" --scope tenants:read --expires 720h
