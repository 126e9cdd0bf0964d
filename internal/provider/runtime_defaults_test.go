package provider

import (
	"testing"
)

func TestDisableUnusedLogs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, value string
		off         int
	}{{"", "", 4}, {"TF_LOG_CORE", "TRACE", 4}, {"TF_LOG", "debug", 0}, {"TF_LOG_PROVIDER", "TRACE", 0}} {
		off := 0
		disableUnusedLogs(func(name string) string {
			if name == test.name {
				return test.value
			}
			return ""
		}, func(_, value string) {
			if value == "off" {
				off++
			}
		})
		if off != test.off {
			t.Errorf("%s=%s: %d logs are off", test.name, test.value, off)
		}
	}
}
