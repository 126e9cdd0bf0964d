// Package pgserver runs a real, private PostgreSQL server for development and
// tests: on loopback, on a free port, with a random password, in a temporary
// directory. It never runs as root (as root it switches to "nobody"), and it
// leaves nothing behind, also when its parent is killed with SIGKILL: a small
// shell that waits for the end of a pipe stops the server and removes the
// directory.
package pgserver
