# Reads everything, also the registry's own events.
tenant-api apikey create --name auditor --scope admin --expires 720h > auditor.key
# Reads tenants in one region, and their events; there are no others for it.
tenant-api apikey create --name auditor-eu --scope tenants:read --only-metadata region=eu > auditor-eu.key
tenant-api apikey list
