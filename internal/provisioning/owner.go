package provisioning

import (
	"crypto/rand"
	"fmt"
	"os"
)

// hostAndProcess names this process for people.
func hostAndProcess() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%.60s/%d", host, os.Getpid())
}

// processName tells lease holders apart: two processes can share host and, in
// containers, process id, so a random part follows.
func processName() string { return hostAndProcess() + "/" + rand.Text()[:8] }
