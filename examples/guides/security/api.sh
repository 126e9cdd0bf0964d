status() { curl --silent --output /dev/null --write-out '%{http_code}\n' "$@"; }
status https://tenants.platform.example/admin/tenants    # 401: no key
status https://tenants.platform.example/metrics          # 404: metrics are on another port
status --header 'Authorization: Bearer guessed.key' https://tenants.platform.example/admin/tenants # 401
