// Package dto has the types of tenant-api's bodies, one of each: the server writes
// them, package apiclient reads them, and the command line prints them, so that a
// tenant looks the same everywhere.
//
// Names are in camelCase, times in RFC 3339 and UTC, durations in whole milliseconds
// with names that end in Ms. What is not there is null and not "", and a list or map
// without entries is empty and not null. The struct tags are read by encoding/json
// and, for the OpenAPI document, by huma; the package imports neither huma nor HTTP.
package dto
