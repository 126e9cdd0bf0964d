// Package limits limits a client's use of the server: connections, requests per minute, the
// size of a body and the time to read a response.
//
// The package does not use x/net/netutil for connections: its listener waits when it is
// full, so idle clients would block all others. This package closes the connection that has
// been idle longest.
package limits
