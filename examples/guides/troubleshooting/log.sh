# INFO tells each step, DEBUG also the cause behind each message.
TF_LOG_PROVIDER=DEBUG TF_LOG_PATH=provider.log terraform apply
grep 01a203e1-9baf-7699-9d50-5b880de3a7e2 provider.log | grep 'provisioning step'
