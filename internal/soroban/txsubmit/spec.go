package txsubmit

import (
	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Spec describes the transaction of one step. It has one operation; only a transaction
// that funds channels has several.
type Spec struct {
	Purpose     txlog.Purpose
	Description string // For messages: "the creation of the contract".
	Body        xdr.OperationBody
	Restore     []xdr.LedgerKey // With PurposeRestore: the entries to restore.
	Extend      []xdr.LedgerKey // With PurposeExtend: the entries to extend.
	MaxFee      int64
	Setting     string // The setting of the ceiling.
	Tenant      uuid.UUID
	ContractID  string // The contract, C...; empty: none, or several.
	Shared      bool   // Done once for all tenants, so only one caller at a time may do it.

	ops    []xdr.Operation // With PurposeFund, instead of Body.
	spends int64           // Stroops that the deployer pays in addition to the fee.
}
