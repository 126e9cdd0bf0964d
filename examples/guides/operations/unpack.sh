version=1.2.3
sha256sum --check --ignore-missing terraform-provider-healthcare_${version}_SHA256SUMS
tar -xzf tenant-api_${version}_linux_amd64.tar.gz tenant-api
tar -xzf devstack_${version}_linux_amd64.tar.gz devstack # for a trial alone
export PATH="$PWD:$PATH"
tenant-api version
