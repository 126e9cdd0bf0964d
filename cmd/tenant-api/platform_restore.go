package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

func (a *cli) platformAcceptRestore() *cobra.Command {
	var (
		reason     string
		jsonOutput bool
	)
	cmd := &cobra.Command{
		Use: "accept-restore --reason TEXT", Short: "Go on with a registry that was restored from a backup", Args: noArgs,
		Long: `Says that this registry was restored from a backup and is the one to go on with. Its
timeline is the next one, on the record, and runs begin again. Until then Terraform refuses to
work with a registry that is older than its state, and no run begins where a contract has
anchored more of an audit chain than the registry has.

Restore the schemas of tenants to the same time first, and see what is missing:
"tenant-api platform check" and "tenant-api tenants verify".`,
		Example: "  tenant-api platform accept-restore --reason \"Restored to 2026-11-27 08:00 after the loss of the disk\"",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireFlag(cmd, "reason", "say what was restored, and why; the audit log keeps it"); err != nil {
				return err
			}
			s, err := a.services(cmd.Context())
			if err != nil {
				return err
			}
			defer s.close()
			identity, err := s.AcceptRestore(cmd.Context(), reason)
			if err != nil {
				return nameInvalid(cmd, err)
			}
			if jsonOutput {
				return printJSON(dto.NewRegistry(identity))
			}
			fmt.Printf("The registry %s is at timeline %d.\n", identity.ID, identity.Timeline)
			return nil
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what was restored and why, for the audit log")
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}
