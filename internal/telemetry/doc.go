// Package telemetry turns what happens to tenants into numbers for Prometheus.
// It knows the heart's events and nothing of the adapters.
package telemetry
