api=https://tenants.platform.example
call() { curl -sS -H 'Content-Type: application/json' -d "$2" "$api/invitations/$1"; }
call renew "{\"token\": \"$TOKEN\"}"                              # of an expired one; mails the registered address
