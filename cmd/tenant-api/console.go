package main

import (
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console/signin"
)

// addConsole lets the API serve the pages for people.
func (s *server) addConsole(handler *api.Server) error {
	sessions, err := signin.New(signin.Options{
		Authenticator: handler.Authenticator(), Sessions: s.db.Sessions, RecordRejection: handler.RecordRejection,
		IdleTimeout: 30 * time.Minute, TTL: 12 * time.Hour, TrustedProxies: s.api.TrustedProxies, Logger: s.log,
	})
	if err != nil {
		return err
	}
	pages, err := console.New(console.Options{API: handler.ForConsole(), Sessions: tmpSessions{sessions}, Version: buildVersion(), Logger: s.log})
	if err != nil {
		return err
	}
	handler.SetConsole(pages)
	return nil
}
