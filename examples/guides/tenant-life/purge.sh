tenant-api tenants archive 'name:Lakeside Practice'
tenant-api tenants purge 'name:Lakeside Practice' --confirm 'Lakeside Practice'
