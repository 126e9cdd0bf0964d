package main

import (
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console/signin"
)

type tmpSessions struct{ *signin.Manager }

func (tmpSessions) OIDC() bool                                                         { return false }
func (tmpSessions) Begin(w http.ResponseWriter, r *http.Request, returnTo string) error { return nil }
func (tmpSessions) Finish(w http.ResponseWriter, r *http.Request) (string, error)       { return "", nil }
