// Package access defines who may call the API and what a caller may do there.
//
// A Key is proved by a token, a line of text that its holder sends with each request. The
// registry stores only the SHA-256 of the token's secret half: a plain hash suffices,
// because the secret has 256 random bits. The other half, the prefix, finds the key and
// names it in logs. Verify refuses a malformed token without a query, because the format is
// public. Every well-formed token that Verify refuses costs the same, one query and one
// comparison in constant time, whether the key exists or not: response times do not reveal
// which keys exist. Against a flood of unknown tokens, Snapshot searches a copy in memory.
//
// The package contains no HTTP and no SQL: Store is its port to the registry.
package access
