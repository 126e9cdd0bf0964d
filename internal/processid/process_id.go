// Package processid names this process in leases and audit events.
package processid

import (
	"crypto/rand"
	"fmt"
	"os"
)

// HostAndPID names this process for people.
func HostAndPID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%.60s/%d", host, os.Getpid())
}

// New tells lease holders apart: two processes can share host and, in
// containers, process id, so a random part follows.
func New() string { return HostAndPID() + "/" + rand.Text()[:8] }
