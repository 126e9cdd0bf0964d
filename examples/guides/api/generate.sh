npx openapi-typescript openapi.json -o generated/schema.ts
npx openapi-ts -i openapi.json -o generated/client
openapi-python-client generate --path openapi.json --output-path tenant_api_client --config config.yaml --meta none
go tool oapi-codegen -config config.yaml openapi.json
