// Package limits bounds what a client can use of the server: connections, requests per
// minute, the size of a body and the time to read a response.
//
// Connections are not limited by x/net/netutil: its listener waits when it is full, so idle
// clients would block all others. Here the connection that has been idle longest is closed
// for the next one.
package limits
