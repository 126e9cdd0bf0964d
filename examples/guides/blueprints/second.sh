cat > clinic/migrations/0007_phone.sql <<'SQL'
-- +goose Up
ALTER TABLE patients ADD COLUMN phone text;
SQL
tenant-api blueprints publish ./clinic --activate
tenant-api tenants migrate --blueprint clinic --dry-run
tenant-api tenants migrate --blueprint clinic --canary 1 --parallel 8
tenant-api tenants verify --offline
