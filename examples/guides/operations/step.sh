umask 077
file=$BLUEPRINT_SECRET_DIRECTORY_FILE
new="whsec_$(head -c 32 /dev/urandom | base64)"
printf '%s %s' "$new" "$(cat "$file")" > "$file.new"
mv "$file.new" "$file"
