package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

func (a *app) migrate() *cobra.Command {
	return group("migrate", "Bring the registry's tables up to date, or tell whether they are", a.migrateUp(), a.migrateStatus())
}

func (a *app) migrateUp() *cobra.Command {
	return &cobra.Command{
		Use: "up", Short: "Bring the registry's and the queue's tables to this program's version", Args: none,
		Long: `Brings the tables in schema public to this program's version, under a lock, so
that it can run at once in many places. The schemas of tenants are another matter:
see tenant-api tenants migrate.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			database, err := config.ReadDatabase(a.source)
			if err != nil {
				return err
			}
			db, err := openRegistry(cmd.Context(), database, true)
			if err != nil {
				return err
			}
			defer db.Close()
			q, err := queue.Open(cmd.Context(), queue.Options{URL: database.URL.Reveal()})
			if err != nil {
				return err
			}
			defer q.Close()
			if err := db.Migrate(cmd.Context()); err != nil {
				return err
			}
			if err := q.Migrate(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, "The registry's and the queue's tables are at this program's version.")
			return nil
		},
	}
}

func (a *app) migrateStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Tell which versions the tables are at", Args: none,
		Long: fmt.Sprintf("Tells which versions the tables are at. The exit code is %d when something is not at this\nprogram's version.", exitFindings),
		RunE: func(cmd *cobra.Command, _ []string) error {
			database, err := config.ReadDatabase(a.source)
			if err != nil {
				return err
			}
			db, err := openRegistry(cmd.Context(), database, true)
			if err != nil {
				return err
			}
			defer db.Close()
			q, err := queue.Open(cmd.Context(), queue.Options{URL: database.URL.Reveal()})
			if err != nil {
				return err
			}
			defer q.Close()
			registry, wanted, err := db.Versions(cmd.Context())
			if err != nil {
				return err
			}
			queued, queueWanted, err := q.Versions(cmd.Context())
			if err != nil {
				return err
			}
			rows := [][]string{versionRow("registry", registry, wanted), versionRow("queue", int64(queued), int64(queueWanted))}
			pending := 0
			if registry == wanted {
				fleet, err := db.TenantVersions(cmd.Context())
				if err != nil {
					return err
				}
				pending = fleet.Pending
				state := "up to date"
				if pending > 0 {
					state = fmt.Sprintf("%d to migrate: tenant-api tenants migrate", pending)
				}
				rows = append(rows, []string{"tenant schemas", "", strconv.Itoa(fleet.Version), state})
			}
			if err := table([]string{"TABLES", "VERSION", "NEWEST", "STATE"}, rows); err != nil {
				return err
			}
			if registry != wanted || queued != queueWanted || pending > 0 {
				return exitError{exitFindings}
			}
			return nil
		},
	}
}

func versionRow(what string, version, wanted int64) []string {
	state := "up to date"
	switch {
	case version < wanted:
		state = "to migrate: tenant-api migrate up"
	case version > wanted:
		state = "newer than this program: use a newer release"
	}
	return []string{what, strconv.FormatInt(version, 10), strconv.FormatInt(wanted, 10), state}
}
