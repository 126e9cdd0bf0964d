cat > practice/migrations/0004_phone.sql <<'END'
-- +goose Up
ALTER TABLE patients ADD COLUMN phone text;
END
tenant-api blueprints publish ./practice --activate
tenant-api tenants migrate --blueprint practice --dry-run
tenant-api tenants migrate --blueprint practice --canary 1 --parallel 8
tenant-api tenants verify --offline
