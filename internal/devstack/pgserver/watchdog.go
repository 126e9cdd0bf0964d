//go:build unix

package pgserver

import (
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog"
)

// watchdogScript reads its input to the end; the lines are the process ids of the
// servers that were started. It stops the last of them, if that still serves data
// directory $1, and removes directory $2 unless $2 is empty. The removal is repeated,
// because an initdb may still write there. If $2 is set it also stops the server in
// postmaster.pid: the parent may have been killed before it sent that process id. In
// a directory that stays, the file may name another parent's server.
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

// startWatchdog starts the watchdog of the server's directory.
func (s *Server) startWatchdog() (*watchdog.Watchdog, error) {
	temporary := ""
	if s.options.Dir == "" {
		temporary = s.dir
	}
	return watchdog.Start(watchdogScript, s.data(), temporary)
}
