package dto

import (
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Registry says which registry it is.
type Registry struct {
	ID       uuid.UUID `json:"id" format:"uuid" doc:"Chosen at random when the registry was made. One that was restored from a backup has the same."`
	Timeline int       `json:"timeline" minimum:"1" doc:"Counts the restores from a backup that were accepted, from 1."`
}

// NewRegistry converts an identity to JSON.
func NewRegistry(i provisioning.RegistryIdentity) Registry { return Registry{i.ID, i.Timeline} }

// Identity converts back to the domain type.
func (v Registry) Identity() provisioning.RegistryIdentity {
	return provisioning.RegistryIdentity{ID: v.ID, Timeline: v.Timeline}
}
