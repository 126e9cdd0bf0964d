package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
)

// groupReader reads one group of settings.
type groupReader func(config.Source) error

// into returns a reader that stores the group in target.
func into[T any](target *T, read func(config.Source) (T, error)) groupReader {
	return func(source config.Source) (err error) {
		*target, err = read(source)
		return err
	}
}

// read reads all groups that a command needs, so that one error has the faults of all. Before, it
// warns of misspelt variables, which may be the reason for them.
func (a *cli) read(groups ...groupReader) error {
	a.warnOfMisspellings()
	faults := []error{a.traceErr}
	for _, group := range groups {
		faults = append(faults, group(a.source))
	}
	return errors.Join(faults...)
}

// warnOfMisspellings warns once in a process.
func (a *cli) warnOfMisspellings() {
	for _, m := range a.misspellings {
		a.logger().WarnContext(context.Background(), m.Warning())
	}
	a.misspellings = nil
}

// settings are those of all parts of provisioning.
type settings struct {
	database config.Database
	soroban  config.Soroban
	mail     config.Mail
	webhook  config.Webhook
}

// readSettings reads the settings of provisioning, and further groups.
func (a *cli) readSettings(further ...groupReader) (s settings, err error) {
	err = a.read(append([]groupReader{
		into(&s.database, config.ReadDatabase), into(&s.soroban, config.ReadSoroban), into(&s.mail, config.ReadMail), into(&s.webhook, config.ReadWebhook),
	}, further...)...)
	return s, err
}

// newLogger logs to standard error: standard output is for results.
func newLogger(l config.Log) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level, ReplaceAttr: telemetry.WithUnits}
	if l.Format == config.LogJSON {
		return slog.New(telemetry.WithTrace(slog.NewJSONHandler(os.Stderr, options)))
	}
	return slog.New(telemetry.WithTrace(slog.NewTextHandler(os.Stderr, options)))
}
