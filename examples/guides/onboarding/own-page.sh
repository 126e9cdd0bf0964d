export APP_URL=https://app.platform.example              # where the administrator goes on to: APP_URL/tenant/ID
export INVITATION_URL=https://app.platform.example/welcome
export CORS_ORIGINS=https://app.platform.example         # only if tenant-api has another origin than the page
