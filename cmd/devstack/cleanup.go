//go:build unix

package main

import (
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/guard"
)

// cleanupScript does for a killed devstack what that does itself otherwise: it
// ends the command's process group and removes the env file $1, if that begins
// with the mark $2.
const cleanupScript = `file=$1 mark=$2 group=
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
  case $(head -n 1 "$file") in "$mark"*) rm -f -- "$file";; esac
fi`

// cleanup is the guard of what devstack itself has outside of its process.
type cleanup struct{ watchdog *guard.Watchdog }

func startCleanup(file *envFile) (*cleanup, error) {
	g, err := guard.Start(cleanupScript, file.path, file.header)
	if err != nil {
		return nil, err
	}
	return &cleanup{watchdog: g}, nil
}

// watchGroup has the process group ended with devstack.
func (c *cleanup) watchGroup(group int) error { return c.watchdog.Send("group %d", group) }

// stop ends the cleaner; devstack has done its work.
func (c *cleanup) stop() error {
	if err := c.watchdog.Send("end"); err != nil {
		return err
	}
	return c.watchdog.Close()
}
