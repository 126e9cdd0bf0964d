# When the proxy refuses POST and DELETE below /admin/tenants:
until curl --silent --show-error --fail "$OLD_URL/metrics" | grep --quiet '^provisioning_queue_depth 0$'; do sleep 1; done
psql "$DATABASE_URL" --command="SELECT name, status FROM legacy.mapping WHERE status IN ('PENDING', 'PROVISIONING')"
