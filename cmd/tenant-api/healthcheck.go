package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func (a *cli) openapi() *cobra.Command {
	return &cobra.Command{
		Use: "openapi", Short: "Print the OpenAPI document of the API", Args: noArgs,
		Example: "  tenant-api openapi >openapi.json",
		RunE: func(_ *cobra.Command, _ []string) error {
			document, err := api.OpenAPI(apiVersion)
			if err != nil {
				return err
			}
			_, err = os.Stdout.Write(document)
			return err
		},
	}
}

func (a *cli) healthcheck() *cobra.Command {
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Check whether the server on this machine is ready", Args: noArgs,
		Long: `Checks whether the server on this machine is ready, for containers and init systems.
The exit code is 0 when it is.`,
		Example: "  tenant-api healthcheck --port 3001\n  until tenant-api healthcheck; do sleep 1; done",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var settings config.API
			if err := a.read(into(&settings, config.ReadAPI)); err != nil {
				return err
			}
			if settings.Port == 0 {
				return &config.ValidationError{Variable: config.AppPort, Message: "is 0; give the port that the server listens on"}
			}
			switch settings.Host { // A server on all interfaces also listens on loopback.
			case "0.0.0.0", "":
				settings.Host = "127.0.0.1"
			case "::":
				settings.Host = "::1"
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+settings.Address()+"/readyz", nil)
			if err != nil {
				return err
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return fmt.Errorf("no response from %s; check that the server runs there", settings.Address())
			}
			defer func() { _ = response.Body.Close() }()
			text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
			if err != nil {
				return err
			}
			fmt.Println(string(text))
			if response.StatusCode != http.StatusOK {
				return exitError{exitFailed}
			}
			return nil
		},
	}
	a.bindSettings(cmd,
		settingFlag{config.AppHost, "address of the server; 0.0.0.0 and :: mean this machine"},
		settingFlag{config.AppPort, "port of the server"})
	return cmd
}
