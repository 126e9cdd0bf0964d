package blueprint

// The keys of blueprint.yaml, for the test that compares them with the JSON schema.
var KnownKeys = knownKeys
