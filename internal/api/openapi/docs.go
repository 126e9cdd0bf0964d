package openapi

import (
	_ "embed" // For the page.

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/page"
)

//go:embed docs.html
var docsHTML string

// Docs is the page that shows the OpenAPI document. It loads only that document.
var Docs = page.New(docsHTML)
