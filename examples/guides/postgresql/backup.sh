tenant-api tenants backup create "name:St. Mary's Clinic" ./st-marys-backup
cat ./st-marys-backup/manifest.json
