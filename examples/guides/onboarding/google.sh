export MAIL_HOST=smtp-relay.gmail.com MAIL_PORT=587       # no MAIL_USER: the relay knows the address of tenant-api
export MAIL_FROM="Platform <no-reply@platform.example>"
