umask 077
tenant-api apikey create --name ops --scope admin --expires 2160h > ops.key # printed once
tenant-api serve &
while kill -0 $! && ! tenant-api healthcheck; do sleep 1; done
tenant-api tenants create --name "First Clinic" \
  --admin-email ada@first-clinic.example --admin-first-name Ada --admin-last-name Lovelace
curl --silent --show-error --header "Authorization: Bearer $(cat ops.key)" http://127.0.0.1:3000/admin/tenants
