// Package buildinfo returns the version of the program.
package buildinfo

import (
	"runtime/debug"
)

// Version is the one that the release build has set, else that of the module when
// it was installed as one, else "dev".
func Version(linked string) string {
	if linked != "" {
		return linked
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
