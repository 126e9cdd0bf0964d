export MAIL_HOST=smtp.office365.com MAIL_PORT=587
export MAIL_USER=no-reply@platform.example                # the mailbox that sends
export MAIL_FROM="Platform <no-reply@platform.example>"
export MAIL_OAUTH_TOKEN_URL=https://login.microsoftonline.com/DIRECTORY_ID/oauth2/v2.0/token
export MAIL_OAUTH_CLIENT_ID=CLIENT_ID MAIL_OAUTH_CLIENT_SECRET=...   # from a secret store
export MAIL_OAUTH_SCOPE=https://outlook.office365.com/.default
