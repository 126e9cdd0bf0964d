//go:build unix

package pgserver

import (
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/guard"
)

// watchdogScript waits for the end of its input, whose lines are the process ids of
// the servers that were started. It stops the last of them, if it is (still) the
// server of data directory $1, and removes the directory $2, if there is one to
// remove. An initdb that still writes there makes the removal take more than one
// go. In such a directory it also stops the server in postmaster.pid, which the
// parent may not have come to name; elsewhere that can be a successor's.
const watchdogScript = `data=$1 dir=$2 last=
while read -r line; do last=$line; done
serves() {
  if [ -d /proc/self ]; then tr '\0' '\n' <"/proc/$1/cmdline" | grep -Fqx -- "$data"
  else ps -ww -o command= -p "$1" | grep -Fq -- "$data"; fi
} 2>/dev/null
stop() {
  n=0
  while [ -n "$1" ] && serves "$1" && [ $n -lt 200 ]; do
    [ $n -eq 0 ] && kill -QUIT "$1"
    [ $n -eq 150 ] && kill -KILL "$1"
    sleep 0.1; n=$((n+1))
  done
} 2>/dev/null
stop "$last"
[ -n "$dir" ] && stop "$(head -n 1 "$data/postmaster.pid" 2>/dev/null)"
n=0
while [ -n "$dir" ] && [ -e "$dir" ] && [ $n -lt 100 ]; do
  rm -rf -- "$dir" 2>/dev/null || sleep 0.1
  n=$((n+1))
done
exit 0`

// startWatchdog starts the guard of the server's directory.
func (s *Server) startWatchdog() (*guard.Watchdog, error) {
	temporary := ""
	if s.options.Dir == "" {
		temporary = s.dir
	}
	return guard.Start(watchdogScript, s.data(), temporary)
}
