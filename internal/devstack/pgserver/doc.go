// Package pgserver runs a real, private PostgreSQL server for development and
// tests: on loopback, on a free port, with a random password, in a temporary
// directory. The binaries are those of the machine, else ones that are
// downloaded once and verified. The server never runs as root (as root it
// switches to "nobody").
//
// Nothing is left behind. Stop removes server and directory; when the parent is
// killed instead, a watchdog does (see package watchdog), and on Linux the kernel
// stops the server at once. What even that misses, because watchdog and parent were
// killed together, the next Start removes: a directory whose lock nobody holds.
package pgserver
