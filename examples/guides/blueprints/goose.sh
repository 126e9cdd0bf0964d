mkdir -p hospital/migrations
n=0
for file in db/migrations/*.sql; do
  n=$((n + 1))
  name=${file##*/}
  cp "$file" "hospital/migrations/$(printf %04d $n)_${name#*_}"
done
tenant-api blueprints validate ./hospital
