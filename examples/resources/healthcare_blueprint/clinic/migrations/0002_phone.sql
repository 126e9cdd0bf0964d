-- +goose Up
ALTER TABLE patients ADD COLUMN phone text;
