separator=$(printf '\037') # It keeps empty fields, which a tab does not.
psql "$DATABASE_URL" --quiet --tuples-only --no-align --field-separator="$separator" \
  --command="SELECT id, name, admin_email, admin_first_name, admin_last_name FROM legacy.mapping WHERE status IN ('PENDING', 'PROVISIONING')" |
  while IFS="$separator" read -r id name email first last; do
    tenant-api tenants create --name "$name" --admin-email "$email" --admin-first-name "$first" --admin-last-name "$last" \
      --external-id "$id" < /dev/null || exit 1
  done
