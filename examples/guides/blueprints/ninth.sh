cat > hospital/migrations/0009_next_of_kin.sql <<'END'
-- +goose Up
ALTER TABLE relatives ADD COLUMN next_of_kin boolean NOT NULL DEFAULT false;
END
tenant-api blueprints publish ./hospital --activate
tenant-api tenants migrate --blueprint hospital
