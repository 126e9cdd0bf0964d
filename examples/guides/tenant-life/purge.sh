tenant-api tenants archive 'name:Lakeside Practice'
# 720h later, or as PURGE_RETENTION says.
tenant-api tenants purge 'name:Lakeside Practice' --confirm 'Lakeside Practice'
