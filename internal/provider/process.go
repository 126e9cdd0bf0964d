package provider

import (
	"os"
	"runtime/debug"
)

// Tune prepares the process that a CLI has started. It is no matter of a provider
// that is served inside another program, or to a debugger.
func Tune() {
	quiet(os.Getenv, func(name, value string) { _ = os.Setenv(name, value) }) // At worst nobody reads what is logged.
	if os.Getenv("GOGC") == "" {
		// A plan of a thousand tenants makes garbage all the time over a heap of some
		// megabytes: by default a fourth of the process's time goes into collecting it.
		debug.SetGCPercent(400)
	}
}

// quiet turns off the logs that the CLI would throw away. The SDK writes every line
// down to TRACE, because the CLI sifts by the very same variables; for each resource
// that is a good part of what process and CLI have to do.
func quiet(get func(string) string, set func(name, value string)) {
	if get("TF_LOG") != "" || get("TF_LOG_PROVIDER") != "" {
		return
	}
	for _, name := range []string{"TF_LOG_SDK", "TF_LOG_SDK_PROTO", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_PROVIDER_HEALTHCARE"} {
		set(name, "off")
	}
}
