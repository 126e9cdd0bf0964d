// Package architecture holds the rules about which package may import which. It has
// tests only: arrows point inward, from entrances and adapters to the domain.
package architecture
