package provisioning

import (
	"crypto/rand"
	"fmt"
	"os"
)

// processName tells lease holders apart: two processes can share host and, in
// containers, process id, so a random part follows.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%.60s/%d/%s", host, os.Getpid(), rand.Text()[:8])
}
