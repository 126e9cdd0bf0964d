tab=$(printf '\t')
psql "$DATABASE_URL" --quiet --tuples-only --no-align --field-separator="$tab" \
  --command="SELECT id, name, admin_email, admin_first_name, admin_last_name FROM legacy.mapping WHERE status IN ('PENDING', 'PROVISIONING')" |
  while IFS="$tab" read -r id name email first last; do
    tenant-api tenants create --name "$name" --admin-email "$email" --admin-first-name "$first" --admin-last-name "$last" \
      --external-id "$id" < /dev/null
  done
