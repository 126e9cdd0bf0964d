// Package access knows who may call the API and what a caller may do there.
//
// A Key is a line of text, a token, that its holder sends with each request. Of
// its secret half the registry stores a SHA-256 alone: a plain hash suffices,
// because the secret has 256 random bits. The other half, the prefix, finds the
// key and names it in logs. Verify refuses a token that has not the form of one
// without asking the store: the form is public. Every well-formed token that it
// refuses costs the same, one look-up and one comparison in constant time, whether
// there is such a key or not, so that nobody learns from the clock which keys exist.
// Where a flood of unknown tokens arrives, Snapshot does the look-ups in memory.
//
// The package knows no HTTP and no SQL: Store is what it needs of the registry.
package access
