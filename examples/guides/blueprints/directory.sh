export BLUEPRINT_SECRET_DIRECTORY="whsec_$(head -c 32 /dev/urandom | base64)"
export WEBHOOK_ALLOW=127.0.0.1
go run ./examples/directory &
