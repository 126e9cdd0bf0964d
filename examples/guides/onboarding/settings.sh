export APP_URL=https://app.platform.example   # APP_URL/invitation and APP_URL/invitations/ lead to tenant-api
export INVITATION_TTL=72h                     # how long an invitation can be accepted
export INVITATION_REMINDER=24h                # how long before its end a worker sends a reminder; 0: none
export TRUSTED_PROXIES=10.0.0.0/24            # the proxies in front of tenant-api
