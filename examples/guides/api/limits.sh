. ./functions.sh
for request in 1 2 3; do
  api GET '/admin/tenants?limit=1' --include
done
