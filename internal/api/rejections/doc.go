// Package rejections records rejected requests in the audit log, before they are answered.
package rejections
