# The handler of README.md, as it was written; only this import is added. What it calls is in helpers.py;
# app.py serves it, and lends it the private key.
from helpers import private_key, process_data

# Learning from JS interpreter pattern, we enabled similar Python capabilities
import ccf

def handle_request(request):
    # Access to CCF KV store (like JavaScript version)
    store = ccf.kv["app_data"]
    
    # Cryptographic operations within TEE  
    signature = ccf.crypto.sign(request["data"], private_key)
    
    # Network operations with attestation
    return {
        "statusCode": 200,
        "body": {
            "result": process_data(request["data"]),
            "signature": signature,
            "attestation": ccf.get_attestation()
        }
    }
