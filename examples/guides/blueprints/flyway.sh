mkdir -p hospital/migrations
n=0
for file in $(ls sql/V*.sql | sort -V) $(ls sql/R__*.sql 2>/dev/null); do
  n=$((n + 1))
  (echo '-- +goose Up'; cat "$file") > "hospital/migrations/$(printf %04d $n)_${file#*__}"
done
tenant-api blueprints validate ./hospital
