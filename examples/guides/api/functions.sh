api() { # METHOD PATH [OPTION...]
  method=$1 path=$2
  shift 2
  curl --silent --show-error --request "$method" --header "Authorization: Bearer $TENANT_API_TOKEN" \
    --header 'Content-Type: application/json' "$@" "$TENANT_API_URL$path"
}
