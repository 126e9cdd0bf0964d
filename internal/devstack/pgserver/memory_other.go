//go:build unix && !linux

package pgserver

// freeBytes is what a file system in memory has free: these systems have none.
func freeBytes(string) uint64 { return 0 }
