// Package telemetry exports Prometheus metrics of provisioning, tenants and contracts. It
// uses the core's events and imports no adapter.
package telemetry
