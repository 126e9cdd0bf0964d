tenant-api apikey revoke ops                             # a key: requests at once, streams within a second
tenant-api tenants suspend "name:First Clinic"           # a tenant: each role but the owner, with the next statement
