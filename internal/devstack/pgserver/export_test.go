//go:build unix

package pgserver

// EnoughMemory reports whether InMemory has an effect here.
func EnoughMemory() bool { return freeBytes(memoryDir) >= memoryNeeded }
