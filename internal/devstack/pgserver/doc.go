// Package pgserver runs a real, private PostgreSQL server for development and tests: on
// loopback, on a free port, with a random password, in a temporary directory. It uses
// the machine's binaries, or downloads binaries once and verifies them. The server never
// runs as root (as root it switches to "nobody").
//
// Nothing is left behind. Stop removes server and directory. When the parent is killed,
// a watchdog does (see package watchdog), and on Linux the kernel stops the server at
// once. If watchdog and parent were killed together, the next Start removes the
// directory, because it is no longer locked.
package pgserver
