# On the server, once for each pipeline. The key is printed once.
tenant-api apikey create --name terraform --scope tenants:write --expires 2160h
# For a pipeline that also opens logins and purges:
tenant-api apikey create --name terraform-operations --expires 2160h \
	--scope tenants:write --scope tenants:credentials --scope tenants:purge --scope blueprints:write
# For one reseller's pipeline: there are no other tenants for this key.
tenant-api apikey create --name terraform-acme --scope tenants:write --only-metadata reseller=acme --rate-limit 300
tenant-api apikey list
