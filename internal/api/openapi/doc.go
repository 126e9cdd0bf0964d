// Package openapi describes the API: the parts of the OpenAPI document that are the same for
// every operation, its schemas for streams, problems and tenants, and the page that shows it.
package openapi
