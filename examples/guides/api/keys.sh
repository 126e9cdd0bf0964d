# On a machine with the settings of the server's database. The key is printed once.
tenant-api apikey create --name crm --scope tenants:write --expires 2160h > crm.key
