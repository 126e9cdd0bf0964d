api=https://tenants.platform.example
call() { curl -sS -H 'Content-Type: application/json' -d "$2" "$api/invitations/$1"; }
call inspect "{\"token\": \"$TOKEN\"}"                            # changes nothing
call accept "{\"token\": \"$TOKEN\", \"password\": \"$PASSWORD\"}"    # works once
