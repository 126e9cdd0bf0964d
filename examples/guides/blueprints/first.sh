mkdir -p practice/migrations
cat > practice/blueprint.yaml <<'END'
apiVersion: healthcare-platform/v1
kind: Blueprint
name: practice
END
n=0
for file in patients.sql appointments.sql invoices.sql; do
  n=$((n + 1))
  (echo '-- +goose Up'; cat "$file") > "practice/migrations/000${n}_$file"
done
tenant-api blueprints validate ./practice
tenant-api blueprints publish ./practice --activate
