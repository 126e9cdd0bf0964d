package stats

// RegistrySQL is the statement of RegistryStats.
var RegistrySQL = registrySQL

// StuckAfter is its second parameter.
const StuckAfter = stuckAfter
