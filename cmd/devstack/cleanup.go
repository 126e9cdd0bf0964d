//go:build unix

package main

import (
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog"
)

// cleanupScript does the cleanup of a devstack that was killed: it ends the
// command's process group, and removes the env file $1 if its first line starts
// with $2.
const cleanupScript = `file=$1 header=$2 group=
while read -r word value; do
  case $word in
    group) group=$value;;
    end) exit 0;;
  esac
done
if [ -n "$group" ]; then
  kill -s TERM -- "-$group"
  n=0; while kill -s 0 -- "-$group" && [ $n -lt 20 ]; do sleep 0.1; n=$((n+1)); done
  kill -s KILL -- "-$group"
fi 2>/dev/null
if [ -n "$file" ] && [ -f "$file" ]; then
  case $(head -n 1 "$file") in "$header"*) rm -f -- "$file";; esac
fi`

// cleanup is the watchdog for what devstack has outside of its process: the command
// and the env file.
type cleanup struct{ watchdog *watchdog.Watchdog }

func startCleanup(file *envFile) (*cleanup, error) {
	w, err := watchdog.Start(cleanupScript, file.path, file.header)
	if err != nil {
		return nil, err
	}
	return &cleanup{watchdog: w}, nil
}

// watchGroup makes the watchdog end the process group if devstack is killed.
func (c *cleanup) watchGroup(group int) error { return c.watchdog.Send("group %d", group) }

// stop ends the watchdog without a cleanup.
func (c *cleanup) stop() error {
	if err := c.watchdog.Send("end"); err != nil {
		return err
	}
	return c.watchdog.Close()
}
