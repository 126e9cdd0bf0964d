package provider

import (
	"os"
	"runtime/debug"
)

// SetRuntimeDefaults sets defaults for logs and garbage collection of the plugin process.
// Call it only in a process that a CLI started, not in tests or under a debugger.
func SetRuntimeDefaults() {
	disableUnusedLogs(os.Getenv, func(name, value string) { _ = os.Setenv(name, value) }) // On an error there are only more log lines.
	if os.Getenv("GOGC") == "" {
		// A plan of a thousand tenants allocates much on a heap of a few megabytes: with
		// the default, garbage collection takes a quarter of the CPU time.
		debug.SetGCPercent(400)
	}
}

// disableUnusedLogs turns off logs that the CLI would discard. Without TF_LOG the SDK still
// writes every line down to TRACE and the CLI filters them, which costs a large part of
// the CPU time of both processes.
func disableUnusedLogs(getenv func(string) string, setenv func(name, value string)) {
	if getenv("TF_LOG") != "" || getenv("TF_LOG_PROVIDER") != "" {
		return
	}
	for _, name := range []string{"TF_LOG_SDK", "TF_LOG_SDK_PROTO", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_PROVIDER_HEALTHCARE"} {
		setenv(name, "off")
	}
}
