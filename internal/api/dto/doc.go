// Package dto has the types of tenant-api's bodies. The server writes them, package
// apiclient reads them, and the command line prints them, so that a tenant has the same
// form everywhere.
//
// Names are in camelCase, times in RFC 3339 and UTC, durations in whole milliseconds with
// names that end in Ms. A missing value is null, not ""; a list or map without entries is
// empty, not null. encoding/json reads the struct tags, and huma reads them for the OpenAPI
// document; the package imports neither huma nor HTTP.
package dto
