pip install --quiet stellar-sdk==16.1.1
python3 signer.py generate deployer.new
python3 signer.py add deployer.new
