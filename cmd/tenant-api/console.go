package main

import (
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console/signin"
)

// addConsole lets the API serve the pages for people, unless CONSOLE is off.
func (s *server) addConsole(handler *api.Server) error {
	o := s.api.Console
	if !o.Enabled {
		return nil
	}
	sessions, err := signin.New(signin.Options{
		Authenticator: handler.Authenticator(), Sessions: s.db.Sessions, RecordRejection: handler.RecordRejection,
		IdleTimeout: o.IdleTimeout, TTL: o.SessionTTL, TrustedProxies: s.api.TrustedProxies, Logger: s.log,
		OIDC: signin.OIDC{URL: o.URL, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Scopes: o.Scopes},
	})
	if err != nil {
		return err
	}
	pages, err := console.New(console.Options{API: handler.ForConsole(), Admit: handler.AdmitConsole, Sessions: sessions, URL: o.URL, Version: buildVersion(), Logger: s.log, Stopping: handler.Stopping()})
	if err != nil {
		return err
	}
	handler.SetConsole(pages)
	return nil
}
