package stats

// RegistrySQL is the statement of RegistryStats.
var RegistrySQL = registrySQL

// StuckAfter is its second parameter.
const StuckAfter = stuckAfter

// AttentionSQL are the statements of Attention.
func AttentionSQL() (all []string) {
	for _, g := range attentionGroups {
		all = append(all, g.statement())
	}
	return all
}

// ThroughputSQL is the statement of Throughput.
const ThroughputSQL = throughputSQL
