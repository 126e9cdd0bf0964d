tenant-api tenants create --name 'Lakeside Practice' --external-id crm-4711 \
  --admin-email ada@lakeside.example --admin-first-name Ada --admin-last-name Lovelace
tenant-api tenants invite 'name:Lakeside Practice'

tenant-api tenants suspend 'name:Lakeside Practice'
tenant-api tenants list --status SUSPENDED
tenant-api tenants resume 'name:Lakeside Practice'

tenant-api tenants hold set 'name:Lakeside Practice' --reason 'Case 2026-17'
tenant-api tenants list --held
tenant-api tenants hold clear 'name:Lakeside Practice' --reason 'Case 2026-17 is closed'

tenant-api tenants verify 'name:Lakeside Practice'
tenant-api tenants repair 'name:Lakeside Practice'
tenant-api tenants migrate --tenant 'name:Lakeside Practice'

tenant-api tenants archive 'name:Lakeside Practice'
tenant-api tenants unarchive 'name:Lakeside Practice'
