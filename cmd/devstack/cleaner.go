//go:build unix

package main

import "github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/guard"

// cleanScript does for a killed devstack what that does itself otherwise: it
// ends the command's process group and removes the env file $1, if that begins
// with the mark $2.
const cleanScript = `file=$1 mark=$2 group=
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

// cleaner is the guard of what devstack itself has outside of its process.
type cleaner struct{ guard *guard.Guard }

func startCleaner(file *envFile) (*cleaner, error) {
	g, err := guard.Start(cleanScript, file.path, file.mark)
	if err != nil {
		return nil, err
	}
	return &cleaner{guard: g}, nil
}

// watch has the process group ended with devstack.
func (c *cleaner) watch(group int) error { return c.guard.Say("group %d", group) }

// dismiss ends the cleaner; devstack has done its work.
func (c *cleaner) dismiss() error {
	if err := c.guard.Say("end"); err != nil {
		return err
	}
	return c.guard.Close()
}
