// Package architecture holds the rules about which package may import which, and whose
// tests may name which tables. It has tests only: arrows point inward, from entrances and
// adapters to the domain.
package architecture
