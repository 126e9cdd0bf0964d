package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/backup"
)

func (a *cli) tenantsBackup() *cobra.Command {
	return commandGroup("backup", "Back up one tenant, and restore it", "  tenant-api tenants backup create name:Clinic ./clinic-backup",
		a.tenantsBackupCreate(), makesRegistry(a.tenantsBackupRestore()))
}

func (a *cli) tenantsBackupCreate() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "create TENANT FOLDER", Short: "Write a tenant with all its data to a folder", Args: cobra.ArbitraryArgs,
		Long: `Writes one tenant to a new folder, all of it as of one moment: its schema with the data, as
pg_dump writes it, its rows of the registry with the audit chain, the revision of its
blueprint, and a manifest with the hash of each file. The tenant stays in use meanwhile.

The folder has the data of patients, and is readable by this user alone: encrypt it where it
is kept. Backups of the whole database are still needed; this one is for a single tenant.

` + tenantHelp,
		Example: "  tenant-api tenants backup create name:Clinic ./clinic-backup",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 || args[1] == "" {
				return usageErrorf(cmd, "give one tenant, as an id or name:NAME, and a folder that does not exist yet")
			}
			var settings config.Backup
			s, t, err := a.openTenant(cmd, args[0], tenantArg.findArchived, into(&settings, config.ReadBackup))
			if err != nil {
				return err
			}
			defer s.close()
			backups, err := a.newBackups(s, settings)
			if err != nil {
				return err
			}
			made, err := backups.Create(cmd.Context(), t.ID, args[1])
			if err != nil {
				return err
			}
			if jsonOutput {
				return printJSON(made)
			}
			size := int64(0)
			for _, f := range made.Files {
				size += f.Size
			}
			_, err = fmt.Printf("Backed up %s to %s: %d bytes.\n", singleLine(made.String()), singleLine(args[1]), size)
			return err
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print the manifest")
	return cmd
}

func (a *cli) tenantsBackupRestore() *cobra.Command {
	var moveTo string
	cmd := &cobra.Command{
		Use: "restore FOLDER", Short: "Make a tenant again from its backup", Args: exactlyOneArg("the folder of one backup"),
		Long: `Makes the tenant of a backup again, with its id, schema, data, audit chain and contract. Where
the registry knows the tenant, and only its schema is missing, the schema is restored and the
registry keeps its newer rows. In another registry the tenant is restored as a whole; its
blueprint's revision has to be published there, and roles that blueprints grant to must exist.

It writes over nothing: a schema that exists is refused, or renamed by --move-existing-to, and
then nobody but its owner reaches it. It can be repeated after an interruption. Logins are not
restored.`,
		Example: "  tenant-api tenants backup restore ./clinic-backup\n  tenant-api tenants verify name:Clinic",
		RunE: func(cmd *cobra.Command, args []string) error {
			var settings config.Backup
			s, err := a.services(cmd.Context(), into(&settings, config.ReadBackup))
			if err != nil {
				return err
			}
			defer s.close()
			backups, err := a.newBackups(s, settings)
			if err != nil {
				return err
			}
			restored, err := backups.Restore(cmd.Context(), args[0], moveTo)
			if err != nil {
				return err
			}
			what := "its schema; the registry has newer rows, which stay"
			if restored.Rows {
				what = "its schema and its rows of the registry"
			}
			fmt.Fprintf(os.Stderr, "Restored %s: %s. Check it: tenant-api tenants verify %s\n", singleLine(restored.String()), what, restored.Tenant.ID)
			return nil
		},
	}
	cmd.Flags().StringVar(&moveTo, "move-existing-to", "", "new name of the schema that the tenant has now, such as a damaged one")
	return cmd
}

// newBackups makes the backups of a registry. PostgreSQL's programs need the same database.
func (a *cli) newBackups(s *registryServices, settings config.Backup) (*backup.Backups, error) {
	database, err := config.ReadDatabase(a.source)
	if err != nil {
		return nil, err
	}
	return backup.New(s.db.DB, s.db.Schemas, backup.Options{URL: database.SessionURL().Reveal(), PgDump: settings.PgDump}), nil
}
