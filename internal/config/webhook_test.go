package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func TestReadWebhook(t *testing.T) {
	t.Parallel()
	w, err := config.ReadWebhook(sourceOf(map[string]string{
		config.WebhookAllow: " Directory.Internal, 10.20.30.40/16,::1 192.0.2.7", "BLUEPRINT_SECRET_X": " whsec_x\n", "DB_PASSWORD": "p",
	}))
	if err != nil || fmt.Sprint(w.Allow) != "{[directory.internal] [10.20.0.0/16 ::1/128 192.0.2.7/32]}" || !w.Allow.Named("DIRECTORY.internal") || w.Allow.Named("internal") {
		t.Errorf("%v, %v", w.Allow, err)
	}
	for variable, want := range map[string]string{"BLUEPRINT_SECRET_X": "whsec_x", "DB_PASSWORD": "", "BLUEPRINT_SECRET_Y": ""} {
		if got, err := w.Secret(variable); err != nil || got.Reveal() != want {
			t.Errorf("%s: a blueprint reads what is no secret of a step, or not its own: %v", variable, err)
		}
	}
	for _, value := range []string{"10.0.0.0/33", "https://x", "x:80", "*", "a@b", strings.Repeat("a,", 101)} {
		if _, err := config.ReadWebhook(sourceOf(map[string]string{config.WebhookAllow: value})); err == nil || !strings.Contains(err.Error(), config.WebhookAllow) {
			t.Errorf("%q: %v", value, err)
		}
	}
}
