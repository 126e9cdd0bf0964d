export AUTH_OIDC_ISSUER=https://keycloak.platform.example/realms/platform
export AUTH_OIDC_AUDIENCE=tenant-api
