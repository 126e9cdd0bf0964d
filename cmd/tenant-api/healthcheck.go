package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
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
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Check whether the server on this machine is ready", Args: noArgs,
		Long: `Checks whether the server on this machine is ready, for containers and init systems, and
prints the parts that the server checks, since when each is as it is, and how long its
last check took. The exit code is 0 when the server takes requests, also while a part of it
is degraded: then what needs the part waits.`,
		Example: "  tenant-api healthcheck --port 3001\n  until tenant-api healthcheck; do sleep 1; done",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var settings config.API
			if err := a.read(into(&settings, config.ReadAPI)); err != nil {
				return err
			}
			status, body, err := readReadiness(cmd.Context(), settings)
			if err != nil {
				return err
			}
			if !jsonOutput && printReadiness(body) {
				body = nil
			}
			if body != nil {
				fmt.Println(strings.TrimSpace(string(body)))
			}
			if status != http.StatusOK {
				return exitError{exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print the server's answer")
	a.bindSettings(cmd,
		settingFlag{config.AppHost, "address of the server; 0.0.0.0 and :: mean this machine"},
		settingFlag{config.AppPort, "port of the server"})
	return cmd
}

// maxReadiness is the size of an answer in bytes.
const maxReadiness = 64 << 10

// readReadiness returns what the server on this machine answers.
func readReadiness(ctx context.Context, settings config.API) (status int, body []byte, err error) {
	if settings.Port == 0 {
		return 0, nil, &config.ValidationError{Variable: config.AppPort, Message: "is 0; give the port that the server listens on"}
	}
	switch settings.Host { // A server on all interfaces also listens on loopback.
	case "0.0.0.0", "":
		settings.Host = "127.0.0.1"
	case "::":
		settings.Host = "::1"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+settings.Address()+"/readyz", nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("no response from %s; check that the server runs there", settings.Address())
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxReadiness))
	return response.StatusCode, body, err
}

// printReadiness prints the parts of an answer, and reports whether it could be read.
func printReadiness(body []byte) bool {
	var ready struct {
		Status string `json:"status"`
		Checks []struct {
			Name       string    `json:"name"`
			Status     string    `json:"status"`
			Since      time.Time `json:"since"`
			DurationMs float64   `json:"durationMs"`
		} `json:"checks"`
	}
	if json.Unmarshal(body, &ready) != nil || ready.Status == "" {
		return false
	}
	fmt.Println(ready.Status)
	for _, c := range ready.Checks {
		fmt.Printf("  %-8s  %-11s  since %s, checked in %.1f ms\n", c.Name, c.Status, c.Since.Format(time.RFC3339), c.DurationMs)
	}
	return true
}
