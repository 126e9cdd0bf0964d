package provider

import (
	"os"
	"runtime/debug"
)

// SetRuntimeDefaults prepares the process that a CLI has started. It is no matter of a provider
// that is served inside another program, or to a debugger.
func SetRuntimeDefaults() {
	disableUnusedLogs(os.Getenv, func(name, value string) { _ = os.Setenv(name, value) }) // At worst nobody reads what is logged.
	if os.Getenv("GOGC") == "" {
		// A plan of a thousand tenants makes garbage all the time over a heap of some
		// megabytes: by default a fourth of the process's time goes into collecting it.
		debug.SetGCPercent(400)
	}
}

// disableUnusedLogs turns off the logs that the CLI would throw away. The SDK writes every line
// down to TRACE, because the CLI sifts by the very same variables; for each resource
// that is a good part of what process and CLI have to do.
func disableUnusedLogs(getenv func(string) string, setenv func(name, value string)) {
	if getenv("TF_LOG") != "" || getenv("TF_LOG_PROVIDER") != "" {
		return
	}
	for _, name := range []string{"TF_LOG_SDK", "TF_LOG_SDK_PROTO", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_PROVIDER_HEALTHCARE"} {
		setenv(name, "off")
	}
}
