package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

func (a *cli) migrate() *cobra.Command {
	return commandGroup("migrate", "Migrate the registry's tables, or show their versions", "  tenant-api migrate status", a.migrateUp(), a.migrateStatus())
}

func (a *cli) migrateUp() *cobra.Command {
	return &cobra.Command{
		Use: "up", Short: "Migrate the registry's and the queue's tables to this program's version", Args: noArgs,
		Long: `Migrates the tables in schema public to this program's version, under a lock, so that
several may run at once. It does not migrate the schemas of tenants; tenant-api
tenants migrate does.`,
		Example: "  tenant-api migrate up",
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := a.openSchema(cmd.Context())
			if err != nil {
				return err
			}
			defer t.close()
			if err := t.migrate(cmd.Context()); err != nil {
				return err
			}
			if err := t.db.Platform.CheckPrivileges(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, "The registry's and the queue's tables are at this program's version.")
			return nil
		},
	}
}

func (a *cli) migrateStatus() *cobra.Command {
	var printed bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show the versions of the tables", Args: noArgs,
		Long:    fmt.Sprintf("Shows the versions of the tables. The exit code is %d when one differs from this program's\nversion.", exitFindings),
		Example: "  tenant-api migrate status",
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := a.openSchema(cmd.Context())
			if err != nil {
				return err
			}
			defer t.close()
			v, err := t.versions(cmd.Context())
			if err != nil {
				return err
			}
			status := dto.MigrationStatus{Registry: dto.Version{Version: v.registry, Newest: v.registryNewest}, Queue: dto.Version{Version: v.queue, Newest: v.queueNewest}}
			if v.registry == v.registryNewest {
				tenantVersions, err := t.db.TenantVersions(cmd.Context())
				if err != nil {
					return err
				}
				status.TenantSchemas = &dto.TenantSchemaVersion{Newest: tenantVersions.Version, Pending: tenantVersions.Pending}
			}
			output := printStatus
			if printed {
				output = func(s dto.MigrationStatus) error { return printJSON(s) }
			}
			if err := output(status); err != nil {
				return err
			}
			if !v.upToDate() || status.TenantSchemas != nil && status.TenantSchemas.Pending > 0 {
				return exitError{exitFindings}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&printed, "json", false, "print JSON")
	return cmd
}

func printStatus(s dto.MigrationStatus) error {
	rows := [][]string{versionRow("registry", s.Registry.Version, s.Registry.Newest), versionRow("queue", s.Queue.Version, s.Queue.Newest)}
	if schemas := s.TenantSchemas; schemas != nil {
		state := "up to date"
		if schemas.Pending > 0 {
			state = fmt.Sprintf("%d to migrate: tenant-api tenants migrate", schemas.Pending)
		}
		rows = append(rows, []string{"tenant schemas", "", strconv.Itoa(schemas.Newest), state})
	}
	return printTable([]string{"TABLES", "VERSION", "NEWEST", "STATE"}, rows)
}

func versionRow(name string, version, newest int64) []string {
	state := "up to date"
	switch {
	case version < newest:
		state = "to migrate: tenant-api migrate up"
	case version > newest:
		state = "newer than this program: use a newer release"
	}
	return []string{name, strconv.FormatInt(version, 10), strconv.FormatInt(newest, 10), state}
}
