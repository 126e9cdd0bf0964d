// Package access knows who may call the API and what a caller may do there.
//
// A Key is a line of text, a token, that its holder sends with each request. Of
// its secret half the registry stores a SHA-256 alone: a plain hash suffices,
// because the secret has 256 random bits. The other half, the prefix, finds the
// key and names it in logs. Verify costs the same for every token that it
// refuses: one look-up and one comparison in constant time, whether there is such
// a key or not, so that nobody learns from the clock which keys exist.
//
// The package knows no HTTP and no SQL: Store is what it needs of the registry.
package access
